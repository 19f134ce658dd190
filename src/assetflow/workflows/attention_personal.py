"""What needs a person about what is kept of people: sealed names whose time is over."""

from __future__ import annotations

from collections.abc import Iterator

from assetflow.model import F, Query, RetainedIdentity
from assetflow.workflows.attention_items import AttentionItem, Scope

__all__ = ["expired_identities"]


def expired_identities(scope: Scope) -> Iterator[AttentionItem]:
    """Names that no programme demands any more, and that are still kept."""
    for kept in scope.tx.find(Query(kind=RetainedIdentity, where=F.keep_until < scope.on)):
        yield AttentionItem(
            kind="identity-expired",
            subject_kind="person",
            subject_id=kept.person_id,
            label=kept.person_id,
            age_days=scope.age(kept.keep_until),
            call="district.retention.run(dry_run=False)",
            command="assetflow retention run --apply",
            detail={"programme": kept.programme, "keep_until": kept.keep_until.isoformat()},
        )
