"""Proves the books: the chain holds, the tables are what it says, and what is derived is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.model import (
    Custody,
    CustodyKind,
    CustodyState,
    Device,
    DeviceModel,
    F,
    FundingShare,
    OpenCustody,
    Person,
    Programme,
    Query,
    fold_serial,
    fold_tag,
)
from assetflow.rules.derived import bound_by, fold_email
from assetflow.store.journal import verify as verify_chain
from assetflow.store.replay import Difference, compare

if TYPE_CHECKING:
    from assetflow.store.journal import Verified
    from assetflow.store.ports import Head, ReadTransaction

__all__ = ["DerivedDifference", "Verification", "check_derived", "verify"]

_DERIVED = ("tag_key", "serial_key", "model", "manufacturer", "custody", "funding")


@frozen(kw_only=True)
class DerivedDifference:
    """A field that is not what the fields that it follows from say."""

    kind: str
    """The kind of record."""
    id: str
    """Its id."""
    field: str
    """The field."""
    stored: Any = None
    """What stands there, in plain form; never shown for a personal field."""
    computed: Any = None
    """What should stand there; never shown for a personal field."""


@frozen(kw_only=True)
class Verification:
    """What was found."""

    journal: Verified
    """The journal's end, and how many events were checked."""
    replayed: tuple[Difference, ...] = ()
    """Where tables are not what the journal says."""
    derived: tuple[DerivedDifference, ...] = ()
    """Where derived fields are not what they follow from."""

    @property
    def ok(self) -> bool:
        """Whether everything agrees."""
        return not self.replayed and not self.derived


def verify(tx: ReadTransaction, *, since: Head | int = 0, limit: int = 1000) -> Verification:
    """Check a district's books.

    Args:
        tx: Consistent reads of the district.
        since: Check only the chain behind this event; tables are always compared with all of it.
        limit: Stop each comparison after so many differences.

    Raises:
        JournalBroken: the chain does not hold; nothing after that can be trusted.
    """
    journal = verify_chain(tx, since=since)
    return Verification(
        journal=journal,
        replayed=tuple(compare(tx, limit=limit)),
        derived=tuple(check_derived(tx, limit=limit)),
    )


def check_derived(tx: ReadTransaction, *, limit: int = 1000) -> list[DerivedDifference]:
    """Compute every derived field again, and name those that differ.

    Args:
        tx: Consistent reads of the district.
        limit: Stop after so many.
    """
    found: list[DerivedDifference] = []
    for difference in _differences(tx):
        if len(found) >= limit:
            break
        found.append(difference)
    return found


def _differences(tx: ReadTransaction) -> Iterator[DerivedDifference]:
    yield from _custodies(tx)
    yield from _devices(tx)
    known = Query(kind=Person, where=F.email.is_known() | F.email_key.is_known())
    for person_id, address, key in tx.values(known, ("id", "email", "email_key")):
        if key != fold_email(address):
            yield DerivedDifference(kind="person", id=person_id, field="email_key")


def _custodies(tx: ReadTransaction) -> Iterator[DerivedDifference]:
    """A device has one open custody, and the row that makes two impossible names it."""
    lasting = Query(kind=Custody, where=F.ended_at.is_unknown())
    opened = {o.device_id: o for o in tx.find(Query(kind=OpenCustody))}
    for custody in tx.find(lasting):
        row = opened.pop(custody.device_id, None)
        said = None if row is None else (row.custody_id, row.accountable_id)
        if said != (custody.id, custody.accountable_id):
            yield DerivedDifference(
                kind="custody_open",
                id=custody.device_id,
                field="custody_id",
                stored=None if row is None else row.custody_id,
                computed=custody.id,
            )
    for device_id, row in opened.items():
        yield DerivedDifference(
            kind="custody_open", id=device_id, field="custody_id", stored=row.custody_id
        )


def _devices(tx: ReadTransaction) -> Iterator[DerivedDifference]:
    """Plain values, not records: a district has many devices, and nearly all are right."""
    models = {m.id: (m.name, m.manufacturer) for m in tx.find(Query(kind=DeviceModel))}
    lasting = Query(kind=Custody, where=F.ended_at.is_unknown())
    loan = CustodyKind.LOAN.value
    states = {
        device_id: (CustodyState.LOANED if kind == loan else CustodyState.ASSIGNED).value
        for device_id, kind in tx.values(lasting, ("device_id", "kind"))
    }
    shares: dict[str, set[str]] = {}
    live = Query(kind=FundingShare, where=F.ends_on.is_unknown())
    for device_id, programme in tx.values(live, ("device_id", "programme")):
        shares.setdefault(device_id, set()).add(programme)
    fields = ("id", "asset_tag", "serial", "model_id", *_DERIVED)
    for device_id, tag, serial, model_id, *stored in tx.values(Query(kind=Device), fields):
        right = (
            fold_tag(tag),
            fold_serial(serial),
            *models.get(model_id, (None, None)),
            states.get(device_id, CustodyState.NONE.value),
            bound_by(map(Programme, shares.get(device_id, ()))).value,
        )
        if right == tuple(stored):
            continue
        for name, held, computed in zip(_DERIVED, stored, right, strict=True):
            if held != computed:
                yield DerivedDifference(
                    kind="device", id=device_id, field=name, stored=held, computed=computed
                )
