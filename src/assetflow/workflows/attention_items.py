"""What needs a person: the typed items, and what a finder is given to make them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from assetflow.errors import ContextValue
from assetflow.model import Device, DeviceModel, Money, Query
from assetflow.model.query import Predicate, plain

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = ["AttentionItem", "AttentionKind", "DeviceRow", "Scope", "shown"]

_FIELDS = ("id", "asset_tag", "serial", "model_id", "purchase_cost", "purchase_cost_currency")


@frozen(kw_only=True)
class AttentionItem:
    """One thing that somebody should look at today. Holds ids, codes and tags; no names."""

    kind: str
    """What it is, such as ``overdue-loan``."""
    subject_kind: str
    """The kind of record that it is about: ``device``, ``run``, ``observation``."""
    subject_id: str
    """The id of what it is about."""
    label: str
    """What a person calls it: a device's tag or serial, a source's name."""
    age_days: int | None = None
    """For how many days it has been so; negative for days that are left; ``None`` when unknown."""
    money: Money | None = None
    """Money at stake: what a new one costs, else what was paid; ``None`` when neither is known."""
    call: str
    """The Python call that resolves it, or shows more."""
    command: str
    """The same on the command line, quoted for a shell."""
    detail: Mapping[str, ContextValue] = field(factory=dict)
    """Ids, codes and counts that belong to it."""


@frozen
class DeviceRow:
    """What a finder reads of a device."""

    id: str
    """Its id."""
    label: str
    """Its tag, else its serial, else its id."""
    money: Money | None
    """What a new one costs, else what was paid."""
    extra: tuple[Any, ...] = ()
    """Further fields that the finder asked for, in plain form."""


@frozen(kw_only=True)
class AttentionKind:
    """One kind of thing that needs a person, and who finds it."""

    kind: str
    """Its code."""
    title: str
    """What a list calls it."""
    urgency: int
    """0 comes first."""
    find: Callable[[Scope], Iterable[AttentionItem]]
    """Finds the items."""


class Scope:
    """The day, the reads, and what several finders need.

    Args:
        tx: Reads of the district.
        on: The day that counts as today.
        ending_within: How many days ahead to look for what ends.
    """

    def __init__(self, tx: ReadTransaction, on: date, *, ending_within: int = 90) -> None:
        self.tx = tx
        self.on = on
        self.ending_within = ending_within

    @property
    def horizon(self) -> date:
        """The last day looked ahead to."""
        return self.on + timedelta(days=self.ending_within)

    @cached_property
    def costs(self) -> Mapping[str, Money]:
        """Model id to what a new one costs."""
        models = self.tx.find(Query(kind=DeviceModel))
        return {m.id: m.replacement_cost for m in models if m.replacement_cost is not None}

    def devices(self, where: Predicate, *extra: str) -> Iterator[DeviceRow]:
        """The devices that a filter keeps, as plain values.

        Args:
            where: The filter.
            *extra: Further fields to read.
        """
        for values in self.tx.values(Query(kind=Device, where=where), (*_FIELDS, *extra)):
            yield self._row(values)

    def devices_by_id(self, ids: Iterable[str], *extra: str) -> dict[str, DeviceRow]:
        """The devices with these ids, any number of them.

        Args:
            ids: The ids.
            *extra: Further fields to read.
        """
        found = self.tx.get_many(Device, [(i,) for i in dict.fromkeys(ids)])
        return {
            d.id: DeviceRow(
                d.id,
                d.label,
                self._money(d.model_id, d.purchase_cost),
                tuple(plain(getattr(d, name)) for name in extra),
            )
            for d in found.values()
        }

    def age(self, since: date | str | None) -> int | None:
        """Days from a day to today, given as a day or in plain form."""
        if since is None:
            return None
        if isinstance(since, datetime):
            since = since.date()
        elif isinstance(since, str):
            since = date.fromisoformat(since[:10])
        return (self.on - since).days

    def item(
        self,
        kind: str,
        device: DeviceRow,
        *,
        since: date | str | None = None,
        verb: str = "show",
        **detail: ContextValue,
    ) -> AttentionItem:
        """An item about a device.

        Args:
            kind: The kind.
            device: The device.
            since: Since when it is so.
            verb: ``check-in`` when taking it back resolves it; else the device is shown.
            **detail: Ids, codes and counts.
        """
        call, command = _CALLS[verb]
        name = shown(device.label, device.id)
        return AttentionItem(
            kind=kind,
            subject_kind="device",
            subject_id=device.id,
            label=name,
            age_days=self.age(since),
            money=device.money,
            call=call.format(repr(name)),
            command=command.format(shlex.quote(name)),
            detail=detail,
        )

    def _row(self, values: Sequence[Any]) -> DeviceRow:
        device_id, tag, serial, model_id, minor, currency, *extra = values
        paid = None if minor is None else Money(minor, currency)
        label = tag or serial or device_id
        return DeviceRow(device_id, label, self._money(model_id, paid), tuple(extra))

    def _money(self, model_id: str | None, paid: Money | None) -> Money | None:
        return self.costs.get(model_id, paid) if model_id is not None else paid


_CALLS = {
    "show": ("district.devices.get({})", "assetflow devices show {}"),
    "check-in": ("district.custody.check_in({})", "assetflow check-in {}"),
    "check-out": ("district.custody.check_out({}, to=...)", "assetflow check-out {} --to ..."),
}


def shown(label: str, fallback: str) -> str:
    """A label fit for a line of text and for a command; the fallback when it is not.

    It is not when it holds control characters, or begins as an option does.
    """
    return label if label.isprintable() and label and label[0] not in "- " else fallback
