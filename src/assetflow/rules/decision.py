"""What a rule decided, and why: the result, what has to be written, and every rule looked at.

A decision is a value. A workflow turns it into entries of the journal; ``explain()`` turns it
into text. Reasons hold ids, codes, counts and days only, so they may be printed and logged.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import field, frozen

from assetflow.errors import ContextValue, Refusal

if TYPE_CHECKING:
    from assetflow.model.events import Event
    from assetflow.model.fields import Record
    from assetflow.model.intents import Intent

__all__ = [
    "Decision",
    "Explanation",
    "Happened",
    "Judgement",
    "Reason",
    "Verdict",
    "Write",
    "overridden",
]

T = TypeVar("T")


class Verdict(enum.Enum):
    """What a rule found."""

    PASSED = "passed"
    """Looked at, nothing against it."""
    OVERRIDDEN = "overridden"
    """Against it, and overridden with a reason, as the policy allows."""
    REFUSED = "refused"
    """Against it."""
    NOT_ASKED = "not-asked"
    """Does not apply to this case."""


@frozen
class Reason:
    """One rule that was looked at, and what it found."""

    rule: str
    """The rule's code, such as ``custody.one-holder``."""
    verdict: Verdict
    """What it found."""
    detail: Mapping[str, ContextValue] = field(factory=dict)
    """What it looked at: ids, codes, counts and days. No names."""

    def line(self) -> str:
        """The reason on one line of text."""
        shown = "; ".join(f"{name}: {_text(value)}" for name, value in self.detail.items())
        return f"{self.verdict.value:<10}  {self.rule}" + (f"  ({shown})" if shown else "")


@frozen
class Judgement:
    """A reason, with the refusal that it leads to unless it is overridden."""

    reason: Reason
    """What the rule found."""
    refusal: Refusal | None = None
    """What is raised when it stands."""


def overridden(because: Iterable[Reason]) -> tuple[str, ...]:
    """Rules that were overridden, of those that were looked at."""
    return tuple(r.rule for r in because if r.verdict is Verdict.OVERRIDDEN)


@frozen
class Write:
    """A record to write: new, or in place of the one that was read."""

    after: Record
    """As it is to be."""
    before: Record | None = None
    """As it was read; ``None`` for a new one."""


@frozen(kw_only=True)
class Happened:
    """One event, what is written with it, and what other systems should hear."""

    event: Event
    """What happened."""
    subject_id: str
    """The id of what it happened to."""
    writes: tuple[Write, ...] = ()
    """Records written with it."""
    removes: tuple[Record, ...] = ()
    """Records removed with it."""
    intents: tuple[Intent, ...] = ()
    """What other systems should hear."""


@frozen(kw_only=True)
class Decision(Generic[T]):
    """What was decided: nothing is written until a workflow saves it."""

    result: T
    """The record that the act is about, as it is to be."""
    happened: tuple[Happened, ...]
    """What happens, in order; empty when there is nothing to do."""
    because: tuple[Reason, ...] = ()
    """Every rule looked at, in order."""

    @property
    def overridden(self) -> tuple[str, ...]:
        """Rules that were overridden."""
        return overridden(self.because)


@frozen(kw_only=True)
class Explanation(Generic[T]):
    """Whether an act would be allowed, and which rules say so. Nothing was written."""

    act: str
    """The act, such as ``check-out``."""
    because: tuple[Reason, ...]
    """Every rule looked at, in order, also those after the one that decided."""
    decision: Decision[T] | None = None
    """What would be done, when it is allowed."""
    refusal: Refusal | None = field(default=None)
    """What would be raised, when it is not."""

    @property
    def allowed(self) -> bool:
        """Whether the act would go through."""
        return self.refusal is None

    @property
    def decided_by(self) -> tuple[str, ...]:
        """The rule that refuses; else those that had to be overridden; else none."""
        if self.refusal is not None:
            return (self.refusal.rule,)
        return tuple(r.rule for r in self.because if r.verdict is Verdict.OVERRIDDEN)

    def unwrap(self) -> Decision[T]:
        """The decision.

        Raises:
            Refusal: the act is not allowed.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.decision is None:  # pragma: no cover  # one of the two is always there
            raise Refusal("nothing was decided")
        return self.decision

    def text(self) -> str:
        """The whole of it as lines of text: ids, codes, counts and days, no names."""
        return "\n".join(self._lines())

    def as_dict(self) -> dict[str, object]:
        """The whole of it as plain data, for ``--json`` output."""
        return {
            "act": self.act,
            "allowed": self.allowed,
            "decided_by": list(self.decided_by),
            "error": None if self.refusal is None else self.refusal.as_dict(),
            "because": [
                {"rule": r.rule, "verdict": r.verdict.value, "detail": dict(r.detail)}
                for r in self.because
            ],
        }

    def _lines(self) -> Iterator[str]:
        yield f"{self.act}: {'allowed' if self.allowed else 'refused'}"
        for reason in self.because:
            yield f"  {reason.line()}"
        if self.refusal is not None:
            yield f"decided by {self.refusal.rule}: {self.refusal.message} [{self.refusal.code}]"
            yield f"hint: {self.refusal.hint}"
        elif self.decided_by:
            yield f"overridden: {', '.join(self.decided_by)}"

    def __str__(self) -> str:
        return self.text()


def first_refusal(judgements: Iterable[Judgement]) -> Refusal | None:
    """The refusal that decides: the first that stands."""
    return next((j.refusal for j in judgements if j.refusal is not None), None)


def _text(value: ContextValue) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
