"""What is left of a record when what names a person is taken out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import evolve, frozen

from assetflow.model import KIND_RETENTION, Handling, Observation, Role, StagedRecord
from assetflow.reconcile import DIGEST_SIZE, PERSONAL_FIELDS, observed_fields
from assetflow.store.schema import kind_of
from assetflow.workflows.personal.traces import Why

if TYPE_CHECKING:
    from assetflow.model import Record
    from assetflow.rules.naming import Naming
    from assetflow.workflows.personal.traces import Trace

__all__ = ["Redacted", "redact"]


@frozen(kw_only=True)
class Redacted:
    """What happens to one record."""

    handling: Handling
    """What is done."""
    columns: tuple[str, ...] = ()
    """The columns that are emptied or redacted."""
    after: Record | None = None
    """The record afterwards; ``None`` when it goes, or stays as it is."""
    left: tuple[str, ...] = ()
    """Columns that still name the person: they stand in the journal, which is not changed."""


def redact(trace: Trace, naming: Naming, entropy: Callable[[int], bytes]) -> Redacted:
    """What happens to a record that is about a person, when the person is erased.

    Args:
        trace: The record, and why it is about them.
        naming: What points at them.
        entropy: Gives random bytes, for a digest of which nobody can guess the origin.
    """
    if trace.kind == "note":
        return Redacted(handling=Handling.REMOVED)
    told = isinstance(trace.record, Observation | StagedRecord)
    if told and not set(trace.named) <= {"facts", "observed", "raw"}:
        return Redacted(handling=Handling.REMOVED)
    if isinstance(trace.record, Observation):
        return _observation(trace.record, trace, naming, entropy)
    if isinstance(trace.record, StagedRecord):
        return _staged(trace.record, trace, naming, entropy)
    return _any(trace)


def _any(trace: Trace) -> Redacted:
    """By the role of the columns: so a kind that comes later is dealt with too."""
    kind, named = kind_of(trace.record), set(trace.named)
    columns = [c for c in kind.columns if c.name in named]
    fixed = [
        c for c in columns if kind.journalled and (c.role is Role.JOURNALLED or not c.nullable)
    ]
    left, loose = tuple(c.name for c in fixed), [c for c in columns if c not in fixed]
    if any(c.name in kind.key or not c.nullable for c in loose):
        return Redacted(handling=Handling.REMOVED, columns=tuple(c.name for c in loose))
    if not loose:
        return Redacted(handling=Handling.KEPT, left=left)
    emptied: dict[str, Any] = {c.field: None for c in loose}
    if kind.versioned:
        emptied["version"] = trace.record.version + 1  # type: ignore[attr-defined]  # it is versioned
    given = KIND_RETENTION[trace.kind].handling
    return Redacted(
        handling=given if given is Handling.REDACTED else Handling.EMPTIED,
        columns=tuple(c.name for c in loose),
        after=evolve(trace.record, **emptied),  # type: ignore[misc]  # every record is an attrs class
        left=left,
    )


def _observation(
    seen: Observation, trace: Trace, naming: Naming, entropy: Callable[[int], bytes]
) -> Redacted:
    facts = _facts(seen.facts)
    if facts is None:
        after = evolve(seen, facts="{}", raw=None, raw_dictionary=None, digest=entropy(DIGEST_SIZE))
        return Redacted(handling=Handling.REDACTED, columns=("facts", "raw"), after=after)
    gone, left = _taken(facts, trace, naming)
    kept = {n: v for n, v in facts.items() if n not in gone}
    columns = tuple(f"facts.{n}" for n in gone) + (("raw",) if seen.raw is not None else ())
    if not columns:
        return Redacted(handling=Handling.KEPT, left=left)
    after = evolve(seen, facts=msgspec.json.encode(kept).decode(), raw=None, raw_dictionary=None)
    if gone:  # the digest covers what was taken out, and could be tried with guesses
        after = evolve(after, digest=entropy(DIGEST_SIZE))
    return Redacted(handling=Handling.REDACTED, columns=columns, after=after, left=left)


def _staged(
    staged: StagedRecord, trace: Trace, naming: Naming, entropy: Callable[[int], bytes]
) -> Redacted:
    try:
        facts = observed_fields(staged.observed)
    except (msgspec.MsgspecError, ValueError):
        return Redacted(handling=Handling.REMOVED)
    gone, left = _taken(facts, trace, naming)
    columns = tuple(f"observed.{n}" for n in gone) + (("raw",) if staged.raw is not None else ())
    if not columns:
        return Redacted(handling=Handling.KEPT, left=left)
    kept = [None if n in gone else v for n, v in facts.items()]
    after = evolve(
        staged, observed=msgspec.json.encode(kept).decode(), raw=None, raw_dictionary=None
    )
    if gone:
        after = evolve(after, digest=entropy(DIGEST_SIZE))
    return Redacted(handling=Handling.REDACTED, columns=columns, after=after, left=left)


def _facts(text: str) -> dict[str, Any] | None:
    """What an observation says; ``None`` when it is not what this library wrote."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _taken(
    facts: dict[str, Any], trace: Trace, naming: Naming
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The facts that are taken out, and those that name the person and are true of the device."""
    named = {n for n, v in facts.items() if isinstance(v, str) and naming.found_in(v)}
    theirs = set(facts) & PERSONAL_FIELDS if Why.LAST_HELD in trace.why else named
    gone = tuple(n for n in facts if n in PERSONAL_FIELDS and n in theirs and facts[n] is not None)
    return gone, tuple(f"facts.{n}" for n in facts if n in named - PERSONAL_FIELDS)
