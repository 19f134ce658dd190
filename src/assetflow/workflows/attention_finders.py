"""The finders: each asks the store one narrow question about what needs a person."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from assetflow.model import (
    KEEPS_HOLDER,
    Aggregate,
    Condition,
    Custody,
    CustodyState,
    Device,
    ExtendedUpdates,
    F,
    ItemOutcome,
    Lifecycle,
    Management,
    Measure,
    Observation,
    OpenCustody,
    Person,
    PersonStatus,
    Query,
    Run,
    RunId,
    RunItem,
    RunStatus,
)
from assetflow.model.query import count_distinct, maximum, plain
from assetflow.rules.derived import fold_name
from assetflow.workflows.attention_items import AttentionItem, AttentionKind, Scope, shown
from assetflow.workflows.attention_personal import expired_identities
from assetflow.workflows.attention_webhooks import dead_letters, disabled_webhooks

if TYPE_CHECKING:
    from datetime import date

    from assetflow.model.query import Predicate

__all__ = ["KINDS"]

_HERE = F.lifecycle.one_of(
    Lifecycle.RECEIVED, Lifecycle.IN_STOCK, Lifecycle.DEPLOYED, Lifecycle.IN_REPAIR
)
_OURS = F.lifecycle.one_of(
    Lifecycle.RECEIVED,
    Lifecycle.IN_STOCK,
    Lifecycle.DEPLOYED,
    Lifecycle.IN_REPAIR,
    Lifecycle.LOST,
    Lifecycle.STOLEN,
)
_WITH_CUSTODY = F.lifecycle.one_of(*KEEPS_HOLDER)


# --- people and custody --------------------------------------------------------------------


def overdue_loans(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that were to come back before today."""
    where = F.ended_at.is_unknown() & (F.due_on < scope.on)
    fields = ("device_id", "id", "accountable_id", "due_on")
    late = list(scope.tx.values(Query(kind=Custody, where=where), fields))
    devices = scope.devices_by_id(row[0] for row in late)
    for device_id, custody_id, accountable_id, due_on in late:
        if (device := devices.get(device_id)) is not None:
            yield scope.item(
                "overdue-loan",
                device,
                since=due_on,
                verb="check-in",
                custody_id=custody_id,
                accountable_id=accountable_id,
                due_on=due_on,
            )


def leavers(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that people who left still answer for (snipe-it #9718, #10397)."""
    gone = Query(kind=Person, where=F.status == PersonStatus.LEFT)
    left = dict(scope.tx.values(gone, ("id", "left_on")))
    if not left:
        return
    held = [
        (device_id, person_id)
        for device_id, person_id in scope.tx.values(
            Query(kind=OpenCustody), ("device_id", "accountable_id")
        )
        if person_id in left
    ]
    devices = scope.devices_by_id(device_id for device_id, _ in held)
    for device_id, person_id in held:
        if (device := devices.get(device_id)) is not None:
            since = left[person_id]
            yield scope.item(
                "leaver-holds", device, since=since, verb="check-in", accountable_id=person_id
            )


def unnamed_holders(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that are deployed while nobody is named."""
    where = (F.lifecycle == Lifecycle.DEPLOYED) & (F.custody == CustodyState.NONE)
    for device in scope.devices(where):
        yield scope.item("deployed-without-holder", device, verb="check-out")


def astray(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that somebody has although they are not out."""
    where = (F.custody != CustodyState.NONE) & ~_WITH_CUSTODY
    for device in scope.devices(where, "lifecycle"):
        (lifecycle,) = device.extra
        yield scope.item("held-but-not-out", device, verb="check-in", lifecycle=lifecycle)


# --- the device-management system ----------------------------------------------------------


def not_managed(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that are out while the management system disabled or deprovisioned them."""
    off = F.management.one_of(Management.DISABLED, Management.DEPROVISIONED)
    for device in scope.devices((F.lifecycle == Lifecycle.DEPLOYED) & off, "management"):
        (management,) = device.extra
        yield scope.item("deployed-not-managed", device, management=management)


def lost_not_disabled(scope: Scope) -> Iterator[AttentionItem]:
    """Lost and stolen devices that still work: disable, do not deprovision (Google [C1])."""
    gone = F.lifecycle.one_of(Lifecycle.LOST, Lifecycle.STOLEN)
    on = F.management.one_of(Management.MANAGED, Management.PENDING)
    for device in scope.devices(gone & on, "lifecycle"):
        (lifecycle,) = device.extra
        yield scope.item("lost-not-disabled", device, lifecycle=lifecycle)


def absent(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that a complete listing no longer had, while they are in use here."""
    where = F.absent_since.is_known() & F.device_id.is_known()
    fields = ("device_id", "source", "absent_since")
    missing = list(scope.tx.values(Query(kind=Observation, where=where), fields))
    devices = scope.devices_by_id((row[0] for row in missing), "lifecycle")
    ours = {x.value for x in (Lifecycle.RECEIVED, Lifecycle.IN_STOCK, Lifecycle.DEPLOYED)}
    for device_id, source, since in missing:
        device = devices.get(device_id)
        if device is not None and device.extra[0] in ours:
            yield scope.item("absent-at-source", device, since=since, source=source)


def stopped_runs(scope: Scope) -> Iterator[AttentionItem]:
    """Sources whose newest pull did not end well: what they say is old."""
    for run in _newest_runs(scope):
        if run.status not in {RunStatus.COMPLETE, RunStatus.RUNNING}:
            yield AttentionItem(
                kind="pull-not-complete",
                subject_kind="run",
                subject_id=run.id,
                label=shown(run.source, run.id),
                age_days=scope.age(run.started_at),
                call=f"district.runs.get({run.id!r})",
                command=f"assetflow runs show {shlex.quote(run.id)}",
                detail={"status": run.status.value, "error_code": run.error_code},
            )


def unmatched(scope: Scope) -> Iterator[AttentionItem]:
    """Records of a source that wait for a person: several devices, or none, could be it."""
    where = F.device_id.is_unknown() & F.absent_since.is_unknown()
    fields = ("source", "source_id", "changed_run_id")
    waiting = list(scope.tx.values(Query(kind=Observation, where=where), fields))
    runs = _started(scope, {row[2] for row in waiting})
    said = scope.tx.get_many(RunItem, [(run_id, source_id, 0) for _, source_id, run_id in waiting])
    for source, source_id, run_id in waiting:
        told = said.get((run_id, source_id, 0))
        yield AttentionItem(
            kind="unmatched-record",
            subject_kind="observation",
            subject_id=f"{source}:{source_id}",
            label=shown(f"{source} {source_id}", source),
            age_days=scope.age(runs.get(run_id)),
            call=f"district.runs.items({run_id!r})",
            command=f"assetflow runs show {shlex.quote(run_id)}",
            detail={
                "reason": None if told is None else told.reason,
                "candidates": () if told is None else _names(told.candidates),
            },
        )


def disagreements(scope: Scope) -> Iterator[AttentionItem]:
    """Devices of which a source says something else than the district holds.

    A run tells only of records that changed, so what it said stays true until a later run tells
    of the same record, or somebody changed the device to what the source says.
    """
    run_ids = [run_id for (run_id,) in scope.tx.values(Query(kind=Run), ("id",))]
    said = F.run_id.one_of(*run_ids) & (F.outcome == ItemOutcome.DISAGREES)
    told = list(scope.tx.find(Query(kind=RunItem, where=said)))  # by its index, run after run
    if not told:
        return
    keys = {item.run_id for item in told}
    runs = {r.id: r for r in scope.tx.get_many(Run, [(k,) for k in keys]).values()}
    wanted = {(runs[i.run_id].source, i.source_id) for i in told if i.run_id in runs}
    observed = scope.tx.get_many(Observation, sorted(wanted))
    full = scope.tx.get_many(Device, sorted({(i.device_id,) for i in told if i.device_id}))
    rows = scope.devices_by_id(i.device_id for i in told if i.device_id)
    for item in told:
        run = runs.get(item.run_id)
        now = observed.get((run.source, item.source_id)) if run is not None else None
        device = full.get((item.device_id,))
        if run is None or now is None or device is None or item.device_id is None:
            continue
        if now.changed_run_id != item.run_id or now.absent_since is not None:
            continue
        fields = [n for n in _names(item.fields) if _differs(device, n, now.facts)]
        if fields:
            yield scope.item(
                "disagreement",
                rows[item.device_id],
                since=plain(run.started_at),
                source=run.source,
                fields=tuple(fields),
            )


def _names(joined: str) -> tuple[str, ...]:
    return tuple(name for name in joined.split(",") if name)


def _differs(device: Device, name: str, facts: str) -> bool:
    """Whether a field still differs; said to when the claim does not show it plainly."""
    claims: Mapping[str, object] = json.loads(facts) if facts else {}
    if name == "model_id":
        claim = claims.get("model")
        return claim is None or fold_name(str(claim)) != fold_name(device.model or "")
    claim = claims.get(name)
    held = plain(getattr(device, name))
    if claim is None:
        return True
    return str(claim).strip().upper() != str(held or "").strip().upper()


# --- the fleet -----------------------------------------------------------------------------


def updates_ended(scope: Scope) -> Iterator[AttentionItem]:
    """Devices in use whose auto-update expiration has passed; unknown is not far away."""
    for device in scope.devices(_HERE & _updates_end(scope.on, before=True), *_ENDS):
        yield scope.item("updates-ended", device, since=_end_of(device.extra))


def updates_ending(scope: Scope) -> Iterator[AttentionItem]:
    """Devices in use whose auto-update expiration is near."""
    near = ~_updates_end(scope.on, before=True) & _updates_end(scope.horizon, before=False)
    for device in scope.devices(_HERE & near, *_ENDS):
        yield scope.item("updates-ending", device, since=_end_of(device.extra))


_ENDS = ("auto_update_ends", "auto_update_ends_extended", "extended_updates")


def _end_of(ends: tuple[str | None, str | None, str]) -> str | None:
    short, long, opted = ends
    return long if opted == ExtendedUpdates.OPTED_IN.value and long else short


def _updates_end(day: date, *, before: bool) -> Predicate:
    """`Device.updates_end` as a filter: before a day, or not after it. Never unknown."""
    short, long = F.auto_update_ends, F.auto_update_ends_extended
    opted = (F.extended_updates == ExtendedUpdates.OPTED_IN) & long.is_known()
    by_long = long.is_known() & ((long < day) if before else (long <= day))
    by_short = short.is_known() & ((short < day) if before else (short <= day))
    return (opted & by_long) | (~opted & by_short)


def broken_in_stock(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that lie in stock and cannot go out."""
    bad = F.condition.one_of(Condition.BROKEN, Condition.POOR)
    for device in scope.devices((F.lifecycle == Lifecycle.IN_STOCK) & bad, "condition"):
        (condition,) = device.extra
        yield scope.item("broken-in-stock", device, condition=condition)


def duplicate_tags(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that share an asset tag with another that is still here."""
    return _duplicates(scope, "tag_key", "duplicate-tag")


def duplicate_serials(scope: Scope) -> Iterator[AttentionItem]:
    """Devices that share a serial with another that is still here."""
    return _duplicates(scope, "serial", "duplicate-serial")


def _duplicates(scope: Scope, name: str, kind: str) -> Iterator[AttentionItem]:
    known = Measure("known", "count_known", name)
    figures = Aggregate(
        kind=Device, measures=(known, count_distinct(name, "distinct")), where=_OURS
    )
    (row,) = scope.tx.aggregate(figures)
    if row["known"] == row["distinct"]:
        return
    seen = Counter(v for (v,) in scope.tx.values(Query(kind=Device, where=_OURS), (name,)) if v)
    twice = {value for value, times in seen.items() if times > 1}
    for device in scope.devices(_OURS, name):
        (value,) = device.extra
        if value in twice:
            yield scope.item(kind, device, times=seen[value])


# --- runs ----------------------------------------------------------------------------------


def _newest_runs(scope: Scope) -> list[Run]:
    newest = Aggregate(
        kind=Run, group_by=("source", "what"), measures=(maximum("started_at", "at"),)
    )
    found = []
    for row in scope.tx.aggregate(newest):
        where = (F.source == row["source"]) & (F.what == row["what"]) & (F.started_at == row["at"])
        found += list(scope.tx.find(Query(kind=Run, where=where, limit=1)))
    return found


def _started(scope: Scope, run_ids: set[RunId]) -> dict[str, str]:
    runs = scope.tx.get_many(Run, [(i,) for i in sorted(run_ids)])
    return {r.id: plain(r.started_at) for r in runs.values()}


KINDS: tuple[AttentionKind, ...] = tuple(
    AttentionKind(kind=kind, title=title, urgency=urgency, find=find)
    for urgency, (kind, title, find) in enumerate(
        (
            ("pull-not-complete", "Pulls that did not end well", stopped_runs),
            ("webhook-disabled", "Webhooks that are told nothing more", disabled_webhooks),
            (
                "webhook-dead-letters",
                "Webhooks that did not take what they were told",
                dead_letters,
            ),
            ("identity-expired", "Sealed names whose time is over", expired_identities),
            ("leaver-holds", "People who left and still have a device", leavers),
            ("overdue-loan", "Loans that are overdue", overdue_loans),
            ("lost-not-disabled", "Lost devices that still work", lost_not_disabled),
            ("deployed-not-managed", "Devices in use that are not managed", not_managed),
            ("absent-at-source", "Devices that a source no longer has", absent),
            ("deployed-without-holder", "Devices in use with nobody named", unnamed_holders),
            ("held-but-not-out", "Devices that somebody has, but are not out", astray),
            ("duplicate-tag", "Asset tags that are there twice", duplicate_tags),
            ("duplicate-serial", "Serials that are there twice", duplicate_serials),
            ("unmatched-record", "Records that match no one device", unmatched),
            ("disagreement", "Sources that say something else", disagreements),
            ("updates-ended", "Devices that get no more updates", updates_ended),
            ("broken-in-stock", "Devices in stock that cannot go out", broken_in_stock),
            ("updates-ending", "Devices whose updates end soon", updates_ending),
        )
    )
)
"""Every kind, the most urgent first. Later work adds kinds of its own."""
