"""What a run did, as the JSON that is the last line of its standard output."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .errors import EtlError, RateLimitedError
from .raw import JsonObject, RawCounts


@dataclass
class Summary:
    """Filled while the run goes on, so that a run that fails still says what it has landed and what that cost."""

    days: list[JsonObject] = field(default_factory=list)  # one entry a landed day; see load/commit.py
    already_landed: list[str] = field(default_factory=list)  # days that X wasn't asked for
    partial_errors: Counter[str] = field(default_factory=Counter)
    posts: Counter[str] = field(default_factory=Counter)  # where every post went, see add_posts
    left_out: Counter[str] = field(default_factory=Counter)
    read: list[RawCounts] = field(default_factory=list)  # one a landing, there from its beginning
    ending: JsonObject = field(default_factory=lambda: {"status": "failed", "exit_code": 1})
    extra: JsonObject = field(default_factory=dict)  # plan, spent_this_month_usd, and what was spent

    @property
    def exit_code(self) -> int:
        return int(self.ending["exit_code"])

    def add_posts(self, counts: RawCounts, *, posts_in: int, rejected: int, left_out: Counter[str]) -> None:
        """Count what was read: posts_in = rows + left_out + rejected, over all days."""
        self.partial_errors.update(counts.partial_errors)
        self.left_out.update(left_out)
        self.posts.update(
            posts_in=posts_in,
            rejected=rejected,
            bad_lines=counts.unreadable,
            lines_without_posts=counts.without_posts.total(),
        )

    def succeed(self) -> None:
        self.ending = {"status": "ok", "exit_code": 0}

    def fail(self, error: EtlError) -> None:
        """The three sentences of the error, each by itself."""
        self.ending |= {
            "error": error.message,
            "kept": error.kept,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        if isinstance(error, RateLimitedError) and error.retry_at:
            self.ending["retry_at"] = error.retry_at.isoformat()

    def crash(self, error: Exception) -> None:
        """A fault of this program. Its text may hold a secret, so only its kind is told; the log has the rest."""
        self.ending |= {
            "error": f"Unexpected fault: {type(error).__name__}",
            "hint": "Please report the log above.",
        }

    def as_dict(self) -> dict[str, Any]:
        counted = {**self.posts, "left_out": dict(self.left_out)} if self.posts else {}
        return {
            **self.ending,
            "days": self.days,
            "already_landed": self.already_landed,
            "partial_errors": self.partial_errors,
            **counted,
            **self.what_was_read(),
            **self.extra,
        }

    def what_was_read(self) -> JsonObject:
        """Formats by posts, what had none by documents, and every file that was passed over."""
        seldom: JsonObject = {
            "created_at_from_id": sum(counts.dated_by_id for counts in self.read),
            "texts_cut": sum(counts.cut_texts for counts in self.read),
            "not_posts": dict(sum((counts.without_posts for counts in self.read), Counter())),
            "skipped_files": [
                {"file": name, "reason": reason}
                for counts in self.read
                for name, reason in counts.skipped_files.items()
            ],
        }
        formats = sum((counts.formats for counts in self.read), Counter[str]())
        return {"formats": dict(sorted(formats.items()))} | {name: found for name, found in seldom.items() if found}
