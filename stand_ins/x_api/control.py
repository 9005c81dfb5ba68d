"""/_control/: how a test in another process looks into the simulator and upsets it. X has nothing like it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .faults import Fault
from .simulator import Simulator


def control_routes(simulator: Simulator) -> list[Route]:
    """GET state; POST faults, now, replay, reset. Each answers with the state."""

    async def state(request: Request) -> Response:
        return _state(simulator)

    async def faults(request: Request) -> Response:
        body = await request.json()
        simulator.faults.arm(Fault(**body))
        return _state(simulator)

    async def now(request: Request) -> Response:
        moment = datetime.fromisoformat((await request.json())["now"])
        simulator.now = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return _state(simulator)

    async def replay(request: Request) -> Response:
        simulator.replay(await request.json())
        return _state(simulator)

    async def reset(request: Request) -> Response:
        simulator.reset()
        return _state(simulator)

    return [
        Route("/_control/state", state),
        Route("/_control/faults", _explained(faults), methods=["POST"]),
        Route("/_control/now", _explained(now), methods=["POST"]),
        Route("/_control/replay", _explained(replay), methods=["POST"]),
        Route("/_control/reset", reset, methods=["POST"]),
    ]


def _explained(view: Callable[[Request], Awaitable[Response]]) -> Any:
    """A bad body gets a sentence, not a traceback."""

    async def wrapped(request: Request) -> Response:
        try:
            return await view(request)
        except (ValueError, TypeError, KeyError, json.JSONDecodeError) as error:
            return Response(orjson.dumps({"error": str(error)}), 400, media_type="application/json")

    return wrapped


def _state(simulator: Simulator) -> Response:
    return Response(orjson.dumps(simulator.as_json()), media_type="application/json")
