"""The bodies X sends when something is wrong: problem details (RFC 7807) in the shapes seen in the wild.

X mixes two hosts in the `type` of a problem: `api.twitter.com` in older answers, `api.x.com` in newer ones.
Both are kept here on purpose: a client may rely on the last path segment only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Body = dict[str, Any]

OLD_PROBLEMS = "https://api.twitter.com/2/problems/"
NEW_PROBLEMS = "https://api.x.com/2/problems/"


class ApiError(Exception):
    """An answer other than 200: status, body and headers that belong to it."""

    def __init__(self, status: int, body: Body | str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


# ---- 400 ---------------------------------------------------------------------------------------------------------


def invalid_request(parameter: str, value: str, message: str) -> ApiError:
    """One bad parameter; X echoes what was sent."""
    return invalid_together({parameter: value}, message)


def invalid_together(parameters: Mapping[str, str], message: str) -> ApiError:
    """Parameters that are bad, or don't go together."""
    return ApiError(
        400,
        {
            "errors": [{"parameters": {name: [value] for name, value in parameters.items()}, "message": message}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": NEW_PROBLEMS + "invalid-request",
        },
    )


def not_one_of(parameter: str, value: str, accepted: Sequence[str]) -> ApiError:
    """A value outside an enum; X lists every value it takes."""
    return invalid_request(
        parameter, value, f"The `{parameter}` query parameter value [{value}] is not one of [{','.join(accepted)}]"
    )


def out_of_range(parameter: str, value: str, low: int, high: int) -> ApiError:
    return invalid_request(
        parameter, value, f"The `{parameter}` query parameter value [{value}] is not between {low} and {high}"
    )


def expired_token() -> ApiError:
    """A page token that X doesn't know any more; the answer to any token that isn't one."""
    return invalid_request("pagination_token", "7140dibdnow9c7btw4b2p", "Invalid 'pagination_token'. It has expired")


# ---- 401, 402, 403, 404 ------------------------------------------------------------------------------------------


def unauthorized() -> ApiError:
    return ApiError(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"})


def unsupported_authentication(used: str, supported: Sequence[str]) -> ApiError:
    return ApiError(
        403,
        {
            "title": "Unsupported Authentication",
            "detail": f"Authenticating with {used} is forbidden for this endpoint.  "
            f"Supported authentication types are [{', '.join(supported)}].",
            "type": OLD_PROBLEMS + "unsupported-authentication",
            "status": 403,
        },
    )


def credits_depleted() -> ApiError:
    """402 as seen from February to June 2026."""
    return ApiError(
        402,
        {
            "type": OLD_PROBLEMS + "credits",
            "title": "CreditsDepleted",
            "detail": "Your enrolled account [1000000000000000000] does not have any credits to fulfill this request.",
        },
    )


def payment_required() -> ApiError:
    """402 as seen from July 2026."""
    return ApiError(
        402,
        {
            "detail": "credits depleted",
            "status": 402,
            "title": "Payment Required",
            "type": NEW_PROBLEMS + "credits-depleted",
        },
    )


def spend_cap() -> ApiError:
    """403 of the console's spending limit. Only the title was ever published; the rest follows its siblings."""
    return ApiError(
        403,
        {
            "title": "SpendCapReached",
            "detail": "Your account has reached its spending limit for this billing cycle.",
            "status": 403,
            "type": NEW_PROBLEMS + "spend-cap-reached",
        },
    )


def not_enrolled() -> ApiError:
    """403 of an app outside a project; note that it has no `errors`."""
    return ApiError(
        403,
        {
            "client_id": "10000000",
            "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens "
            "from a Twitter developer App that is attached to a Project. "
            "You can create a project via the developer portal.",
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": "client-not-enrolled",
            "type": OLD_PROBLEMS + "client-forbidden",
        },
    )


def forbidden() -> ApiError:
    body = {"title": "Forbidden", "detail": "Forbidden", "type": "about:blank", "status": 403}
    return ApiError(403, body)


def not_found() -> ApiError:
    """404 for a path: no body at all."""
    return ApiError(404, "")


# ---- 429, 5xx ----------------------------------------------------------------------------------------------------


def too_many_requests(headers: Mapping[str, str]) -> ApiError:
    body = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
    return ApiError(429, body, headers)


def rate_limit_no_reset() -> ApiError:
    """The documented older shape (code 88), without any header that says when to come back."""
    return ApiError(429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]})


def usage_capped() -> ApiError:
    """429 of the monthly cap; it too says nothing about when to come back."""
    return ApiError(
        429,
        {
            "title": "UsageCapExceeded",
            "detail": "Usage cap exceeded: Monthly product cap",
            "type": OLD_PROBLEMS + "usage-capped",
            "period": "Monthly",
            "scope": "Product",
        },
    )


def internal_error() -> ApiError:
    body = {"title": "Internal Server Error", "detail": "Something is broken", "type": "about:blank", "status": 500}
    return ApiError(500, body)


def server_error() -> ApiError:
    body = {"title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank", "status": 503}
    return ApiError(503, body)


def bad_gateway_html() -> ApiError:
    return ApiError(502, "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>\n")


# ---- errors inside a 200 -----------------------------------------------------------------------------------------


def missing_user(parameter: str, value: str) -> Body:
    return {
        "value": value,
        "detail": f"Could not find user with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": value,
        "type": OLD_PROBLEMS + "resource-not-found",
    }


def suspended_user(parameter: str, value: str) -> Body:
    """X titles it `Forbidden`, yet types it `resource-not-found` (recorded)."""
    return {
        "value": value,
        "detail": f"User has been suspended: [{value}].",
        "title": "Forbidden",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": value,
        "type": OLD_PROBLEMS + "resource-not-found",
    }


def protected_user(parameter: str, value: str) -> Body:
    return {
        "value": value,
        "detail": f"Sorry, you are not authorized to see the user with {parameter}: [{value}].",
        "title": "Authorization Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": value,
        "section": "data",
        "type": OLD_PROBLEMS + "not-authorized-for-resource",
    }


def missing_post(parameter: str, value: str) -> Body:
    return {
        "value": value,
        "detail": f"Could not find tweet with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": parameter,
        "resource_id": value,
        "type": OLD_PROBLEMS + "resource-not-found",
    }


def hidden_post(parameter: str, value: str) -> Body:
    return {
        "value": value,
        "detail": f"Sorry, you are not authorized to see the Tweet with {parameter}: [{value}].",
        "title": "Authorization Error",
        "resource_type": "tweet",
        "parameter": parameter,
        "resource_id": value,
        "section": "includes",
        "type": OLD_PROBLEMS + "not-authorized-for-resource",
    }
