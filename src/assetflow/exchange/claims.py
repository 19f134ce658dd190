"""Turns a source's claims into events and records: new devices, matches, changes, disagreements."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define, evolve, field, frozen

from assetflow.exchange.indexing import GONE, LINKED, index_all, index_around
from assetflow.model import (
    Device,
    DeviceId,
    DeviceLink,
    DeviceModel,
    F,
    ItemOutcome,
    Lifecycle,
    Management,
    ModelId,
    Observation,
    Place,
    PlaceId,
    PlaceLink,
    Query,
    RunItem,
    Sighting,
)
from assetflow.model.events import (
    DeviceLinked,
    DeviceModelChanged,
    DeviceObserved,
    DeviceRegistered,
)
from assetflow.reconcile import (
    PERSONAL_FIELDS,
    DeviceIndex,
    IndexedDevice,
    Match,
    Verdicts,
    changed_fields,
    facts_of,
    weigh,
)
from assetflow.rules.derived import fold_name, with_model
from assetflow.store.ports import Entry, Put
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assetflow.exchange.tally import Tally
    from assetflow.model import ObservedDevice
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = ["Claim", "Claims", "compress_raw", "is_open", "placed", "sighting_of", "too_long"]


@frozen
class Claim:
    """One new or changed record of a source."""

    observed: ObservedDevice
    """What the source says."""
    digest: bytes
    """Digest of its tracked fields."""
    raw: bytes | None = field(default=None, repr=False)
    """The vendor's record, compressed."""
    raw_dictionary: int | None = None
    """Version of the dictionary that it was compressed with."""
    standing: str = "new"
    """``new``, ``changed``, or ``unmatched`` for one that is as it was but belongs to no device."""


def compress_raw(record: bytes, dictionary: bytes) -> bytes:
    """A vendor's record, deflated with the connector's dictionary."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
    return packer.compress(record) + packer.flush()


def too_long(observed: ObservedDevice) -> str | None:
    """The first field whose value is longer than the district can keep, if there is one."""
    for name, longest in _LONGEST:
        value = getattr(observed, name)
        if value is not None and len(value.casefold()) > longest:  # folded, it may grow
            return name
    return None


_LONGEST = (
    ("source_id", 200),
    ("serial", 200),
    ("asset_tag", 200),
    ("model", 200),
    ("manufacturer", 200),
)


def sighting_of(source: str, observed: ObservedDevice) -> Sighting:
    """Last contact and telemetry of a claim; a text that is too long is cut."""
    version, user = observed.os_version, observed.recent_user
    return Sighting(
        source=source,
        source_id=observed.source_id,
        last_seen_at=observed.last_seen_at,
        os_version=version[:200] if version is not None else None,
        disk_free_bytes=observed.disk_free_bytes,
        recent_user=user[:200] if user is not None else None,
    )


@define
class Claims:
    """Decides about claims in groups, each group in the caller's transaction.

    Knows the district's models and sites, and the devices that its claims can be about, and
    learns those that it adds. When a transaction fails it must be thrown away with it.
    """

    source: str
    """The source's name."""
    run_id: str
    """The run that the claims belong to."""
    index: DeviceIndex
    """The devices that the claims of the last group could be about; all, when ``whole``."""
    whole: bool
    """Whether all devices were indexed at the start, instead of some anew for each group."""
    models: dict[str, DeviceModel]
    """Folded name to model."""
    places: dict[str, PlaceId]
    """Org unit id, or folded org unit path, to site."""
    _entries: list[Entry] = field(factory=list, init=False)
    _rows: dict[type, list[Any]] = field(factory=dict, init=False)
    _items: dict[str, int] = field(factory=dict, init=False)

    @classmethod
    def load(
        cls,
        tx: ReadTransaction,
        *,
        source: str,
        run_id: str,
        sites: Mapping[str, str],
        whole: bool = False,
    ) -> Claims:
        """Read what deciding needs: models, sites and, if wanted, all devices and links.

        Args:
            tx: Where to read.
            source: The source's name.
            run_id: The run.
            sites: The policy's table of org unit paths and site codes.
            whole: Whether to index all devices now, which pays when most of them will be claimed.
        """
        by_code = {p.code: p.id for p in tx.find(Query(kind=Place, where=F.code.is_known()))}
        places = {fold_name(path): by_code[code] for path, code in sites.items() if code in by_code}
        places |= {
            p.source_id: p.place_id
            for p in tx.find(Query(kind=PlaceLink, where=F.source == source))
        }
        return cls(
            source=source,
            run_id=run_id,
            index=index_all(tx, source) if whole else DeviceIndex(),
            whole=whole,
            models={m.name_key: m for m in tx.find(Query(kind=DeviceModel))},
            places=places,
        )

    def settle(self, tx: Transaction, act: Act, claims: Sequence[Claim], tally: Tally) -> None:
        """Decide about a group of claims and write what follows, in the caller's transaction."""
        lock_names(tx)
        if not self.whole:
            self.index = index_around(tx, self.source, [c.observed for c in claims])
        self.models = {m.name_key: m for m in tx.find(Query(kind=DeviceModel))}
        devices = self._locked(tx, claims)
        known = tx.get_many(Observation, [(self.source, c.observed.source_id) for c in claims])
        for claim in claims:
            # matched only now: an earlier claim may have taken the device, or registered one
            match = self.index.match(claim.observed)
            if match.device_id is not None and (match.device_id,) not in devices:
                found = (match.device_id,)
                match = Match(how="unsure", reason="matched-meanwhile", candidates=found)
            before = known.get((self.source, claim.observed.source_id))
            self._one(act, claim, match, before, devices, tally)
        self._write(tx)

    def _locked(self, tx: Transaction, claims: Sequence[Claim]) -> dict[tuple[Any, ...], Device]:
        """The devices that the claims match, locked; links made before the lock are taken in."""
        matches = [self.index.match(c.observed) for c in claims]
        found = sorted({m.device_id for m in matches if m.device_id is not None})
        tx.lock(*((Device, (i,)) for i in found))
        loose = sorted({m.device_id for m in matches if m.device_id and m.how != "source-id"})
        mine = (F.source == self.source) & F.device_id.one_of(*loose)
        for source_id, device_id in tx.values(Query(kind=DeviceLink, where=mine), LINKED):
            self.index.link(source_id, device_id)
        return tx.get_many(Device, [(i,) for i in found])

    def _one(
        self,
        act: Act,
        claim: Claim,
        match: Match,
        before: Observation | None,
        devices: dict[tuple[Any, ...], Device],
        tally: Tally,
    ) -> None:
        if is_open(act, match):
            if before is None or before.digest != claim.digest:  # else it was told before
                self._leave_open(claim, match, before)
        elif match.device_id is None:
            device = self._register(act, claim)
            devices[device.id,] = device
            tally.created += 1
            self._item(claim, ItemOutcome.CREATED, device_id=device.id)
            self._observe(claim, device.id, before)
        else:
            held = devices[match.device_id,]
            linking = match.how != "source-id"
            after = self._take_over(act, claim, held, before, match, tally)
            devices[match.device_id,] = after
            tally.linked += linking
            tally.changed += not linking
            self._observe(claim, after.id, before)

    # --- deciding ---------------------------------------------------------------------------

    def _leave_open(self, claim: Claim, match: Match, before: Observation | None) -> None:
        """A claim that belongs to no device: a person must say, or the policy makes none of it."""
        if match.how == "unsure":
            outcome, reason = ItemOutcome.AMBIGUOUS, match.reason
        else:
            outcome, reason = ItemOutcome.REFUSED, "devices-are-not-created"
        self._item(claim, outcome, reason=reason, candidates=match.candidates)
        self._observe(claim, None, before)

    def _register(self, act: Act, claim: Claim) -> Device:
        """A device that nothing in the inventory answers to."""
        observed = claim.observed
        model = self._model(act, observed)
        retired = observed.management is Management.DEPROVISIONED
        blank = Device(
            id=DeviceId(act.new_id()),
            lifecycle=Lifecycle.RETIRED if retired else Lifecycle.IN_STOCK,
        )
        verdicts = weigh(
            observed,
            blank,
            source=self.source,
            authority=act.policy.authority,
            model_id=model.id if model else None,
            site_id=self.site_of(observed),
        )
        device = with_model(verdicts.apply(blank), model)
        link = DeviceLink(source=self.source, source_id=observed.source_id, device_id=device.id)
        event = DeviceRegistered(source=self.source, source_id=observed.source_id)
        self._entries.append(
            Entry(
                event=event, subject_id=device.id, stamp=act.stamp(), puts=(Put(device), Put(link))
            )
        )
        self.index.add(IndexedDevice(device.id, device.serial, device.asset_tag))
        self.index.link(observed.source_id, device.id)
        return device

    def _take_over(
        self,
        act: Act,
        claim: Claim,
        held: Device,
        before: Observation | None,
        match: Match,
        tally: Tally,
    ) -> Device:
        """A claim about a device that is there: what the source may overwrite, and what it may not."""
        observed = claim.observed
        model = self._model(act, observed)
        verdicts = weigh(
            observed,
            held,
            source=self.source,
            authority=act.policy.authority,
            model_id=model.id if model else None,
            site_id=self.site_of(observed),
        )
        verdicts = self._without_taken_names(verdicts, held)
        after = held
        if verdicts.taken:
            kept = model if "model_id" in verdicts.taken else self._model_of(held)
            after = with_model(evolve(verdicts.apply(held), version=held.version + 1), kept)
            self.index.add(
                IndexedDevice(after.id, after.serial, after.asset_tag, held.lifecycle.value in GONE)
            )
        puts = (Put(after, held),) if verdicts.taken else ()
        facts = facts_of(observed)
        names = changed_fields(msgspec.json.decode(before.facts) if before else {}, facts)
        if match.how == "source-id":
            event: Any = DeviceObserved(
                source=self.source,
                source_id=observed.source_id,
                fields=names,
                values={n: _text(facts.get(n)) for n in names if n not in PERSONAL_FIELDS},
                taken=tuple(sorted(verdicts.taken)),
                disagrees=verdicts.disagrees,
            )
            self._item(claim, ItemOutcome.CHANGED, device_id=held.id, fields=names)
        else:
            link = DeviceLink(
                source=self.source,
                source_id=observed.source_id,
                device_id=held.id,
                matched_by=match.how,
            )
            puts = (*puts, Put(link))
            event = DeviceLinked(
                source=self.source, source_id=observed.source_id, matched_by=match.how
            )
            self.index.link(observed.source_id, held.id)
            self._item(claim, ItemOutcome.LINKED, device_id=held.id, reason=match.how)
        if verdicts.disagrees:
            tally.disagreements += len(verdicts.disagrees)
            self._item(claim, ItemOutcome.DISAGREES, device_id=held.id, fields=verdicts.disagrees)
        self._entries.append(Entry(event=event, subject_id=held.id, stamp=act.stamp(), puts=puts))
        return after

    def _without_taken_names(self, verdicts: Verdicts, held: Device) -> Verdicts:
        """A tag or serial that another device has is a disagreement, whatever the authority."""
        names = [
            name
            for name in ("serial", "asset_tag")
            if name in verdicts.taken
            and self.index.is_taken(held.id, **{name: verdicts.taken[name]})
        ]
        if not names:
            return verdicts
        taken = {n: v for n, v in verdicts.taken.items() if n not in names}
        return Verdicts(taken=taken, disagrees=(*verdicts.disagrees, *names))

    def _model(self, act: Act, observed: ObservedDevice) -> DeviceModel | None:
        """The model that a claim names; one that is new is added."""
        if observed.model is None or not (key := fold_name(observed.model)):
            return None
        model = self.models.get(key)
        if model is None:
            model = DeviceModel(
                id=ModelId(act.new_id()),
                name=observed.model,
                name_key=key,
                manufacturer=observed.manufacturer,
            )
            self.models[key] = model
            event = DeviceModelChanged(source=self.source)
            self._entries.append(
                Entry(event=event, subject_id=model.id, stamp=act.stamp(), puts=(Put(model),))
            )
        return model

    def _model_of(self, device: Device) -> DeviceModel | None:
        if device.model is None:
            return None
        return self.models.get(fold_name(device.model))

    def site_of(self, observed: ObservedDevice) -> PlaceId | None:
        """The site that a claim's org unit, or the nearest one above it, stands for."""
        if observed.org_unit_id in self.places:
            return self.places[observed.org_unit_id]
        path = fold_name(observed.org_unit_path or "")
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition("/")[0]
        return None

    # --- writing ----------------------------------------------------------------------------

    def _observe(
        self, claim: Claim, device_id: DeviceId | None, before: Observation | None
    ) -> None:
        row = Observation(
            source=self.source,
            source_id=claim.observed.source_id,
            device_id=device_id,
            digest=claim.digest,
            facts=msgspec.json.encode(facts_of(claim.observed)).decode(),
            first_run_id=before.first_run_id if before else self.run_id,  # type: ignore[arg-type]  # a RunId
            changed_run_id=self.run_id,  # type: ignore[arg-type]  # a RunId
            raw=claim.raw,
            raw_dictionary=claim.raw_dictionary,
        )
        self._rows.setdefault(Observation, []).append(row)
        self._rows.setdefault(Sighting, []).append(sighting_of(self.source, claim.observed))

    def _item(
        self,
        claim: Claim,
        outcome: ItemOutcome,
        *,
        device_id: DeviceId | None = None,
        fields: Sequence[str] = (),
        reason: str | None = None,
        candidates: Sequence[str] = (),
    ) -> None:
        source_id = claim.observed.source_id
        position = self._items.get(source_id, 0)
        self._items[source_id] = position + 1
        row = RunItem(
            run_id=self.run_id,  # type: ignore[arg-type]  # a RunId
            source_id=source_id,
            position=position,
            device_id=device_id,
            outcome=outcome,
            fields=",".join(fields),
            reason=reason,
            candidates=",".join(candidates),
        )
        self._rows.setdefault(RunItem, []).append(row)

    def _write(self, tx: Transaction) -> None:
        for rows in self._rows.values():
            tx.upsert(rows)
        if self._entries:
            tx.record(self._entries)
        self._entries, self._rows = [], {}


def is_open(act: Act, match: Match) -> bool:
    """Whether a match leaves a claim without a device."""
    return match.how == "unsure" or (match.device_id is None and not act.policy.pull.create_devices)


def placed(tx: Transaction, act: Act, source: str, waiting: Sequence[Claim]) -> list[Claim]:
    """Of claims that waited for a device, those that would get one now. Writes nothing."""
    if not waiting:
        return []
    index = index_around(tx, source, [c.observed for c in waiting])
    return [c for c in waiting if not is_open(act, index.match(c.observed))]


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
