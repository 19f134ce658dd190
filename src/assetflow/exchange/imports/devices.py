"""What a row of a device inventory means for the district's devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, evolve, field, frozen

from assetflow.errors import Refusal
from assetflow.exchange.imports.cells import BadCell
from assetflow.exchange.imports.custody import Assignments, Placed
from assetflow.exchange.imports.fields import CUSTOM
from assetflow.exchange.imports.match import Findings, MatchedDevice, match_device
from assetflow.exchange.imports.people_index import PeopleIndex
from assetflow.exchange.imports.places import PlaceBook, place_text
from assetflow.exchange.imports.plan import Change, Finding, Outcome, PlannedRow, Reject
from assetflow.files import Notice
from assetflow.model import (
    KEEPS_HOLDER,
    Device,
    DeviceId,
    DeviceModel,
    FundingShare,
    Lifecycle,
    ModelId,
    OpenCustody,
    Query,
    fold_tag,
)
from assetflow.reconcile import DeviceIndex, IndexedDevice
from assetflow.rules.derived import bound_by, fold_name
from assetflow.rules.funding import NewShare, record_funding
from assetflow.workflows.devices import (
    OUT_OF_SERVICE,
    edit_device_entry,
    register_device_entry,
)
from assetflow.workflows.given import zone_of
from assetflow.workflows.models import model_entry, new_model, with_custom
from assetflow.workflows.saving import decided_entries

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.exchange.imports.sheet import Draft, Sheet
    from assetflow.model import Record
    from assetflow.rules.decision import Decision
    from assetflow.store.ports import Entry, Key, ReadTransaction
    from assetflow.workflows.acting import Act

__all__ = ["DecidedDevice", "DeviceDesk"]

T = TypeVar("T")

_DIRECT = (
    "asset_tag", "serial", "lifecycle", "condition", "purchase_cost", "acquired_on", "installed_on",
    "order_line", "warranty_ends", "auto_update_ends",
)  # fmt: skip
_FUNDING = ("fund", "award_number", "programme", "title_holder")
_ALIKE_NEW = "a serial looks like that of another device (O and 0, I and 1, S and 5, B and 8, Z and 2); it is added as a new one"
_ALIKE_KEPT = (
    "a serial differs from the device's in characters that look alike; the device keeps its own"
)
_BLANK = Device(id=DeviceId("new"), lifecycle=Lifecycle.IN_STOCK)
_STANDS_IN = "new:"


@frozen(kw_only=True)
class DecidedDevice:
    """What was decided about a row, and what is needed to write it."""

    row: PlannedRow | None = None
    """What will be done."""
    reject: Reject | None = None
    """Why nothing is."""
    before: Device | None = field(default=None, repr=False)
    """The device as it was read."""
    after: Device | None = field(default=None, repr=False)
    """The device as it is to be, without its custody; ids of what is not there yet stand in."""
    share: NewShare | None = None
    """What pays for it, when the row says so for the first time."""
    placed: Placed | None = None
    """Who has it, when the row says so for the first time."""


@define
class DeviceDesk:
    """Decides about rows of a device inventory. Reads; writes nothing.

    Made for one plan or one run of applying it. After a transaction that failed it is thrown
    away, since it may know records that were never written.
    """

    sheet: Sheet
    """The file."""
    match_on: tuple[str, ...]
    """The fields by which a row finds its device."""
    places: PlaceBook
    """Sites and rooms."""
    notices: list[Notice] = field(factory=list, init=False)
    """What looks odd."""
    _index: DeviceIndex = field(factory=DeviceIndex, init=False)
    _models: dict[str, DeviceModel] = field(factory=dict, init=False)
    _by_id: dict[ModelId, DeviceModel] = field(factory=dict, init=False)
    _made: dict[ModelId, DeviceModel] = field(factory=dict, init=False)
    _shares: dict[DeviceId, list[FundingShare]] = field(factory=dict, init=False)
    _spelled: Mapping[str, Mapping[str, str]] = field(factory=dict, init=False)
    _zone: tzinfo = field(default=UTC, init=False)
    _assignments: Assignments = field(factory=Assignments, init=False)

    # --- reading ----------------------------------------------------------------------------

    def load(self, tx: ReadTransaction) -> None:
        """Read what deciding needs to know of the whole district."""
        gone = {lifecycle.value for lifecycle in OUT_OF_SERVICE}
        rows = tx.values(Query(kind=Device), ("id", "serial", "asset_tag", "lifecycle"))
        self._index = DeviceIndex.of(
            (IndexedDevice(i, s, t, lc in gone) for i, s, t, lc in rows), ()
        )
        self._models = {m.name_key: m for m in tx.find(Query(kind=DeviceModel))}
        self._by_id = {m.id: m for m in self._models.values()}
        self._spelled = {
            n: self.sheet.spellings(n, "model") for n in ("model", "manufacturer", "category")
        }
        self.places.load(tx)
        if self._fills(*_FUNDING):
            for share in tx.find(Query(kind=FundingShare)):
                self._shares.setdefault(share.device_id, []).append(share)
        self._zone = zone_of(tx)
        if self._fills("assigned_to"):
            self._assignments.load(PeopleIndex.load(tx), self._zone)

    def _fills(self, *names: str) -> bool:
        return any(n in self.sheet.by_field or n in self.sheet.defaults for n in names)

    def locks(self, rows: Iterable[PlannedRow]) -> list[tuple[type[Record], Key]]:
        """What must not move while these rows are written."""
        ids = [r.subject_id for r in rows if r.subject_id is not None]
        return [(kind, (i,)) for i in ids for kind in (Device, OpenCustody)]

    # --- deciding ---------------------------------------------------------------------------

    def decide(
        self, tx: ReadTransaction, drafts: Sequence[Draft], *, at: datetime
    ) -> list[DecidedDevice]:
        """What each of these rows means now."""
        found = [self._match(draft) for draft in drafts]
        ids = sorted({m.device_id for m in found if isinstance(m, MatchedDevice) and m.device_id})
        devices = {d.id: d for d in tx.get_many(Device, [(i,) for i in ids]).values()}
        held = {c.device_id: c for c in tx.get_many(OpenCustody, [(i,) for i in ids]).values()}
        decided = []
        for draft, match in zip(drafts, found, strict=True):
            try:
                if isinstance(match, Findings):
                    raise match
                known = match.device_id
                before = None if known is None else devices[known]
                custody = None if known is None else held.get(known)
                decided.append(self._decide(tx, draft, match, before, custody, at=at))
            except Findings as wrong:
                decided.append(DecidedDevice(reject=Reject(draft.line, wrong.findings)))
        return decided

    def _match(self, draft: Draft) -> MatchedDevice | Findings:
        try:
            return match_device(self._index, draft.values, self.match_on, self.sheet.by_field)
        except Findings as wrong:
            return wrong

    def _column(self, name: str) -> str | None:
        return self.sheet.by_field.get(name)

    def _note(self, code: str, message: str, name: str, draft: Draft) -> None:
        self.notices.append(
            Notice(code=code, message=message, column=self._column(name), lines=(draft.line,))
        )

    def _decide(
        self,
        tx: ReadTransaction,
        draft: Draft,
        match: MatchedDevice,
        before: Device | None,
        held: OpenCustody | None,
        *,
        at: datetime,
    ) -> DecidedDevice:
        said = draft.values
        values = dict(said) if before is not None else {**self.sheet.defaults, **said}
        if match.alike:
            message = _ALIKE_NEW if before is None else _ALIKE_KEPT
            self._note("serial-looks-alike", message, "serial", draft)
            if before is not None:
                del values["serial"]
        wrong: list[Finding] = []
        base = before or _BLANK
        after = self._fields(draft, base, values, wrong)
        placed = None
        if values.get("assigned_to") is not None:
            try:
                placed, after = self._assignments.decide(
                    tx, values, said, before, after, held, at=at
                )
            except BadCell as bad:
                wrong.append(bad.finding(self._column("assigned_to")))
        if before is not None:
            wrong += self._lifecycle(before, after)
        share = self._funding(values, before, after, wrong, at=at)
        if wrong:
            raise Findings(wrong)
        changes = self._changes(before, after)
        if share is not None:
            changes.append(Change("fund", None, share.fund))
        if placed is not None:
            changes.append(Change("assigned_to"))
        outcome = (
            Outcome.ADD if before is None else Outcome.CHANGE if changes else Outcome.UNCHANGED
        )
        row = PlannedRow(
            line=draft.line,
            outcome=outcome,
            subject_id=before.id if before else None,
            matched_by=match.how,
            changes=tuple(changes),
        )
        return DecidedDevice(row=row, before=before, after=after, share=share, placed=placed)

    def _fields(
        self, draft: Draft, base: Device, values: Mapping[str, Any], wrong: list[Finding]
    ) -> Device:
        """The device with what the row says of its own fields, its places and its model."""
        new = {
            n: values[n]
            for n in _DIRECT
            if n in values and not _same(n, getattr(base, n), values[n])
        }
        for name in ("site", "room"):
            if name in values:
                try:
                    self._place(base, name, values[name], new)
                except BadCell as bad:
                    wrong.append(bad.finding(self._column(name)))
                    break  # a room is looked for in its site
        if "model" in values:
            model = self._model(draft, values)
            new["model_id"] = model.id if model else None
        elif values.get("manufacturer"):
            message = "a maker without a model is left out"
            self._note("maker-without-model", message, "manufacturer", draft)
        after = evolve(base, **new)
        custom = {n.removeprefix(CUSTOM): v for n, v in values.items() if n.startswith(CUSTOM)}
        return with_custom(after, custom) if custom else after

    def _place(self, base: Device, name: str, text: str | None, new: dict[str, Any]) -> None:
        if text is None:
            new[f"{name}_id"] = None
        elif name == "site":
            new["site_id"] = self.places.site(text).id
        else:
            site = self.places.get(new.get("site_id", base.site_id))
            new["room_id"] = self.places.room(text, site).id

    def _model(self, draft: Draft, values: Mapping[str, Any]) -> DeviceModel | None:
        name, maker = values["model"], values.get("manufacturer")
        if name is None:
            return None
        key = fold_name(name)
        model = self._models.get(key)
        if model is None:
            model = DeviceModel(
                id=ModelId(_STANDS_IN + key),
                name=self._spelled["model"].get(key, name),
                name_key=key,
                manufacturer=self._spelled["manufacturer"].get(key, maker),
                category=self._spelled["category"].get(key, values.get("category")),
            )
            self._models[key] = self._by_id[model.id] = model
        if maker and fold_name(maker) != fold_name(model.manufacturer or ""):
            self._note(
                "maker-differs",
                "the model is known under another maker, or none; the file's is left out",
                "manufacturer",
                draft,
            )
        return model

    def _lifecycle(self, before: Device, after: Device) -> list[Finding]:
        """What the verb would refuse, told as a finding."""
        if after.lifecycle is before.lifecycle:
            return []
        if before.lifecycle in OUT_OF_SERVICE and after.lifecycle not in OUT_OF_SERVICE:
            reason = f"the device is {before.lifecycle.value}, and does not come back by a file"
            return [
                Finding(
                    code="out-of-service",
                    reason=reason,
                    column=self._column("lifecycle"),
                    candidates=(before.id,),
                )
            ]
        if before.custody.value != "none" and after.lifecycle not in KEEPS_HOLDER:
            reason = f"the device is {before.custody.value}; check it in before it is {after.lifecycle.value}"
            return [
                Finding(
                    code="in-other-hands",
                    reason=reason,
                    column=self._column("lifecycle"),
                    candidates=(before.id,),
                )
            ]
        return []

    # --- funding ----------------------------------------------------------------------------

    def _funding(
        self,
        values: Mapping[str, Any],
        before: Device | None,
        after: Device,
        wrong: list[Finding],
        *,
        at: datetime,
    ) -> NewShare | None:
        told = {n: values[n] for n in _FUNDING if values.get(n) is not None}
        if not told:
            return None
        first = self._column(next(iter(told)))
        past = self._shares.get(before.id, []) if before else []
        live = [s for s in past if s.ends_on is None]
        if live:
            same = len(live) == 1 and all(getattr(live[0], n) == v for n, v in told.items())
            if not same:
                reason = "other funding is recorded for the device; a file does not overwrite it"
                column = self._column("fund") or first
                wrong.append(Finding(code="recorded-otherwise", reason=reason, column=column))
            return None
        if "fund" not in told:
            wrong.append(Finding(code="no-fund", reason="names no fund", column=first))
            return None
        share = NewShare(**told)
        try:
            self._funded(after, past, share, at, "new")
        except Refusal as refusal:
            wrong.append(Finding(code=refusal.code, reason=refusal.message, column=first))
        return share

    def _funded(
        self,
        device: Device,
        past: Sequence[FundingShare],
        share: NewShare,
        at: datetime,
        share_id: str,
    ) -> Decision[tuple[FundingShare, ...]]:
        """Record what pays for a device, from its acquisition on."""
        today = at.astimezone(self._zone).date()
        starts_on = device.acquired_on or today
        return record_funding(
            device, past, [share], starts_on=starts_on, today=today, ids=[share_id]
        )

    # --- what is shown ----------------------------------------------------------------------

    def _changes(self, before: Device | None, after: Device) -> list[Change]:
        new = self._shown(after)
        if before is None:
            return [
                Change(n, None, text) for n, text in new.items() if text not in (None, "unknown")
            ]
        old = self._shown(before)
        names = [n for n in dict.fromkeys((*old, *new)) if old.get(n) != new.get(n)]
        return [Change(n, old.get(n), new.get(n)) for n in names]

    def _shown(self, device: Device) -> dict[str, str | None]:
        shown = {n: _text(getattr(device, n)) for n in _DIRECT}
        model = None if device.model_id is None else self._by_id.get(device.model_id)
        shown["model"] = model.name if model else None
        shown["site"] = place_text(self.places.get(device.site_id))
        shown["room"] = place_text(self.places.get(device.room_id))
        if device.custom:
            shown |= {CUSTOM + v.name: v.value for v in device.custom}
        return shown

    # --- writing ----------------------------------------------------------------------------

    def entries(
        self, act: Act, decided: Sequence[DecidedDevice], *, entropy: Callable[[int], bytes]
    ) -> list[list[Entry]]:
        """What is written for these rows, in groups that follow one another."""
        del entropy  # a device has no personal field
        first: list[Entry] = []
        second: list[Entry] = []
        for one in decided:
            if one.after is None or one.row is None or one.row.outcome is Outcome.UNCHANGED:
                continue
            device = self._write(act, one, first)
            if one.placed is not None:
                second.append(self._assignments.entry(act, device, one.placed))
        return [first, second]

    def _write(self, act: Act, one: DecidedDevice, entries: list[Entry]) -> Device:
        """The entries of a row but for its custody; the device as it is after them."""
        before, after = one.before, one.after
        if after is None:  # pragma: no cover  # entries() asked
            raise AssertionError
        ids: dict[str, Any] = {
            "site_id": self.places.real(act, after.site_id, entries),
            "room_id": self.places.real(act, after.room_id, entries),
            "model_id": self._real_model(act, after.model_id, entries),
        }
        if before is None:
            ids["id"] = DeviceId(act.new_id())
        after = evolve(after, **ids)
        model = None if after.model_id is None else self._by_id.get(after.model_id)
        if before is None:
            funding = bound_by([] if one.share is None else [one.share.programme])
            entry = register_device_entry(act, after, model=model, funding=funding, source="csv")
            entries.append(entry)
            device: Device = entry.puts[0].after  # type: ignore[assignment]  # the device
            self._index.add(IndexedDevice(device.id, device.serial, device.asset_tag))
        else:
            edit = edit_device_entry(act, before, after, model=model, source="csv")
            device = before
            if edit is not None:
                entries.append(edit)
                device = edit.puts[0].after  # type: ignore[assignment]  # the device
        if one.share is not None:
            past = self._shares.get(device.id, [])
            funded = decided_entries(
                act, self._funded(device, past, one.share, act.at, act.new_id())
            )
            entries.extend(funded)
            shown = [p.after for entry in funded for p in entry.puts if isinstance(p.after, Device)]
            device = shown[0] if shown else device
        return device

    def _real_model(
        self, act: Act, model_id: ModelId | None, entries: list[Entry]
    ) -> ModelId | None:
        if model_id is None or not model_id.startswith(_STANDS_IN):
            return model_id
        if model_id not in self._made:
            wanted = self._by_id[model_id]
            model = new_model(
                act, wanted.name, manufacturer=wanted.manufacturer, category=wanted.category
            )
            entry = model_entry(act, model, source="csv")
            if entry is not None:
                entries.append(entry)
            self._made[model_id] = self._by_id[model.id] = model
        return self._made[model_id].id


def _same(name: str, have: Any, said: Any) -> bool:
    """Whether a cell says what the device has: tags and serials in whatever letter case."""
    if name in ("asset_tag", "serial"):
        return fold_tag(have) == fold_tag(said)
    return bool(have == said)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(getattr(value, "value", value))
