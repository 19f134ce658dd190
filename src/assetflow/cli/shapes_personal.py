"""The rows about what is held on people: exports, erasures, retention.

They belong to the interface that `assetflow.cli.shapes` describes. None holds a personal value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

if TYPE_CHECKING:
    from assetflow.district import Erasure, RetentionRun
    from assetflow.workflows.personal.erasing import ErasureStep
    from assetflow.workflows.personal.keeping import Expiring

__all__ = ["ErasureCard", "ErasureStepRow", "ExpiringRow", "RetentionCard", "WrittenRow"]


@frozen(kw_only=True)
class WrittenRow:
    """What was written for somebody."""

    path: str
    """The file or the folder."""
    counts: Mapping[str, Any]
    """How many records of each kind, or lines of each file, it has."""


@frozen(kw_only=True)
class ErasureStepRow:
    """What happens to one record, or to several alike."""

    handling: str
    """``emptied``, ``removed``, ``redacted``, ``kept`` or ``sealed``."""
    kind: str
    """The kind of record."""
    columns: tuple[str, ...]
    """The columns that are emptied or redacted."""
    why: tuple[str, ...]
    """Why it is about the person."""
    source: str
    """Who says so: a regulation, or a key of the policy."""
    left: tuple[str, ...]
    """Columns that name the person and stay, since they stand in the journal."""

    @classmethod
    def of(cls, step: ErasureStep) -> Self:
        """A step of a plan."""
        return cls(
            handling=step.handling.value,
            kind=step.kind,
            columns=step.columns,
            why=step.why,
            source=step.source,
            left=step.left,
        )


@frozen(kw_only=True)
class ErasureCard:
    """What an erasure did, or would do."""

    person_id: str
    """The person; afterwards a pseudonym."""
    done: bool
    """Whether it was done."""
    steps: tuple[ErasureStepRow, ...]
    """What happens to each record."""
    holding: tuple[str, ...]
    """Ids of the devices that the person has."""
    sources: tuple[str, ...]
    """Sources that still name the person."""
    guardians_left: tuple[str, ...]
    """Ids of guardians who are guardian of nobody else."""
    reached: tuple[str, ...]
    """Places from which the bytes are gone."""
    not_reached: tuple[str, ...]
    """Places that somebody must see to."""

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """An erasure."""
        plan, wiped = erasure.plan, erasure.wiped
        return cls(
            person_id=plan.person_id,
            done=erasure.done,
            steps=tuple(map(ErasureStepRow.of, plan.steps)),
            holding=plan.holding,
            sources=plan.at_sources,
            guardians_left=plan.guardians_left,
            reached=wiped.reached if wiped else (),
            not_reached=wiped.not_reached if wiped else (),
        )


@frozen(kw_only=True)
class ExpiringRow:
    """Records of one kind whose time is over."""

    kind: str
    """The kind of record."""
    count: int
    """How many there are."""
    rule: str
    """The policy's key or the regulation that says so."""
    before: date
    """What is older than this day."""

    @classmethod
    def of(cls, expiring: Expiring) -> Self:
        """What expires of one kind."""
        return cls(
            kind=expiring.kind, count=expiring.count, rule=expiring.rule, before=expiring.before
        )


@frozen(kw_only=True)
class RetentionCard:
    """What a retention run removed, or would remove."""

    on: date
    """The day."""
    done: bool
    """Whether it was done."""
    expired: tuple[ExpiringRow, ...]
    """What expires."""
    erased: tuple[str, ...]
    """Ids of people who were erased."""
    not_erased: Mapping[str, Any]
    """Ids of people who fall due and were not erased, and the code of what stood against it."""
    not_reached: tuple[str, ...]
    """Places that somebody must see to."""

    @classmethod
    def of(cls, run: RetentionRun) -> Self:
        """A run."""
        return cls(
            on=run.on,
            done=run.done,
            expired=tuple(map(ExpiringRow.of, run.expired)),
            erased=run.erased,
            not_erased=dict(run.not_erased),
            not_reached=run.wiped.not_reached if run.wiped else (),
        )
