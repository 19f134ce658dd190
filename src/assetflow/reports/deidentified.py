"""Records without names, for somebody outside: stable pseudonyms, coarse values, no small groups."""

from __future__ import annotations

import csv
import hmac
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import asdict, field, fields, frozen

from assetflow.codec import write_instant
from assetflow.errors import InvalidValue
from assetflow.files.csv import escape_cell
from assetflow.model import Custody, Device, HolderKind, Person, Query
from assetflow.reports.files import writing
from assetflow.rules.suppression import SMALLEST_CELL, suppressed

if TYPE_CHECKING:
    from assetflow.store.ports import ReadTransaction

__all__ = ["CustodyLine", "DeidentifiedExport", "DeviceLine", "FigureLine"]

_BANDS: Mapping[str, tuple[str, ...]] = {
    "PK-02": ("IT", "PR", "PK", "TK", "KG", "01", "02"),
    "03-05": ("03", "04", "05"),
    "06-08": ("06", "07", "08"),
    "09-12": ("09", "10", "11", "12", "13"),
}
_BAND_OF = {grade: band for band, grades in _BANDS.items() for grade in grades}


@frozen(kw_only=True)
class DeviceLine:
    """A device, without tag, serial and room."""

    device: str
    """Its pseudonym for this recipient."""
    model: str | None
    """Its model."""
    lifecycle: str
    """Where it stands."""
    condition: str
    """What shape it is in."""
    management: str
    """What its management system says."""
    funding: str
    """What its money binds it to."""
    site: str | None
    """Pseudonym of its school; empty for a school with few devices."""
    acquired: str | None
    """The month in which it was acquired, such as ``2026-08``."""
    updates_end: str | None
    """The month in which its updates end."""


@frozen(kw_only=True)
class CustodyLine:
    """A stay of a device with somebody."""

    device: str
    """The device's pseudonym."""
    holder: str
    """The pseudonym of who answered for it."""
    holder_kind: str
    """``person``, ``place``, ``vendor`` or ``device``; of a person what they are to the district."""
    kind: str
    """``assignment`` or ``loan``."""
    grade_band: str | None
    """The grades that a student is in; empty for a group of few."""
    site: str | None
    """Pseudonym of the holder's school; empty where few of that grade band are there."""
    since: str
    """The month in which it began."""
    ended: str | None
    """The month in which it ended; empty while it lasts."""


@frozen(kw_only=True)
class FigureLine:
    """A count of one group."""

    figure: str
    """What is counted, such as ``people-by-grade-band``."""
    group: str
    """The group; ``total`` for all of them."""
    count: int | None
    """How many; empty where it is not told."""


class DeidentifiedExport:
    """Devices, custody and counts without anything that names a person.

    Args:
        read: Begins consistent reads of the district.
        recipient: Who is given it.
        secret: The recipient's key: their pseudonyms fit nobody else's.
        made_at: When it is made.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[ReadTransaction]],
        *,
        recipient: str,
        secret: bytes,
        made_at: datetime,
    ) -> None:
        self._read = read
        self.recipient = recipient
        self._secret = secret
        self._made_at = made_at

    def pseudonym(self, kind: str, record_id: str) -> str:
        """The pseudonym of a record for this recipient: 24 hexadecimal digits of HMAC-SHA256."""
        said = f"{kind}\0{record_id}".encode()
        return hmac.digest(self._secret, said, "sha256").hex()[:24]

    def devices(self) -> Iterator[DeviceLine]:
        """One line for each device."""
        with self._read() as tx:
            sites = Counter(s for (s,) in tx.values(Query(kind=Device), ("site_id",)))
            lines = [self._device(d, sites) for d in tx.find(Query(kind=Device))]
        return iter(sorted(lines, key=lambda line: line.device))

    def custody(self) -> Iterator[CustodyLine]:
        """One line for each stay of a device with somebody.

        In the order of the pseudonyms: the order in which the store has them says when they began.
        """
        with self._read() as tx:
            people = _People.of(tx)
            lines = [self._custody(c, people) for c in tx.find(Query(kind=Custody))]
        return iter(sorted(lines, key=lambda line: (line.device, line.since, line.holder)))

    def figures(self) -> Iterator[FigureLine]:
        """Counts over one grouping at a time, without small groups."""
        with self._read() as tx:
            people = _People.of(tx)
            sites = {i for i, _ in people.place.values() if i is not None}
            names = {i: self.pseudonym("place", i) for i in sites}
            lifecycles = Counter(c for (c,) in tx.values(Query(kind=Device), ("lifecycle",)))
        students = [(s, b) for s, b in people.place.values() if b is not None]
        yield from _figure("students-by-grade-band", Counter(b for _, b in students))
        by_site = Counter(names[s] for s, _ in students if s is not None)
        yield from _figure("students-by-site", by_site)
        yield from _figure("devices-by-lifecycle", lifecycles)

    def write(self, folder: str | os.PathLike[str], *, form: str = "jsonl") -> dict[str, int]:
        """Write ``devices``, ``custody``, ``figures`` and ``about.json`` into a folder.

        Args:
            folder: The folder; made when it is not there.
            form: ``jsonl`` or ``csv``.

        Returns:
            How many lines each has.

        Raises:
            InvalidValue: another form.
            FileError: a file cannot be written.
        """
        if form not in ("jsonl", "csv"):
            raise InvalidValue("the form is none of the words", hint="One of: jsonl, csv.")
        Path(folder).mkdir(parents=True, exist_ok=True)
        parts: Mapping[str, tuple[type[Any], Iterator[Any]]] = {
            "devices": (DeviceLine, self.devices()),
            "custody": (CustodyLine, self.custody()),
            "figures": (FigureLine, self.figures()),
        }
        counts = {}
        for name, (shape, lines) in parts.items():
            with writing(Path(folder) / f"{name}.{form}") as stream:
                write = _jsonl if form == "jsonl" else _csv
                counts[name] = write(stream, shape, lines)
        about = {
            "recipient": self.recipient,
            "made_at": write_instant(self._made_at),
            "smallest_group": SMALLEST_CELL,
            "lines": counts,
        }
        with writing(Path(folder) / "about.json") as stream:
            stream.write(msgspec.json.encode(about) + b"\n")
        return counts

    def _device(self, device: Device, sites: Mapping[str | None, int]) -> DeviceLine:
        small = device.site_id is None or sites[device.site_id] < SMALLEST_CELL
        return DeviceLine(
            device=self.pseudonym("device", device.id),
            model=device.model,
            lifecycle=device.lifecycle.value,
            condition=device.condition.value,
            management=device.management.value,
            funding=device.funding.value,
            site=None if small else self.pseudonym("place", str(device.site_id)),
            acquired=_month(device.acquired_on),
            updates_end=_month(device.updates_end),
        )

    def _custody(self, custody: Custody, people: _People) -> CustodyLine:
        kind, holder = custody.accountable_kind, custody.accountable_id
        site, band = people.coarse(holder) if kind is HolderKind.PERSON else (None, None)
        return CustodyLine(
            device=self.pseudonym("device", custody.device_id),
            holder=self.pseudonym(kind.value, holder),
            holder_kind=people.kind.get(holder, kind.value),
            kind=custody.kind.value,
            grade_band=band,
            site=None if site is None else self.pseudonym("place", site),
            since=_month(custody.since) or "",
            ended=_month(custody.ended_at),
        )


@frozen(kw_only=True)
class _People:
    """What may be told of people, and how many share it."""

    kind: Mapping[str, str] = field(repr=False)
    place: Mapping[str, tuple[str | None, str | None]] = field(repr=False)
    together: Counter[tuple[str | None, str | None]] = field(repr=False)
    bands: Counter[str | None] = field(repr=False)

    @classmethod
    def of(cls, tx: ReadTransaction) -> _People:
        rows = list(tx.values(Query(kind=Person), ("id", "kind", "site_id", "grade")))
        place = {i: (site, _BAND_OF.get(grade or "")) for i, _, site, grade in rows}
        return cls(
            kind={i: kind for i, kind, _, _ in rows},
            place=place,
            together=Counter(place.values()),
            bands=Counter(band for _, band in place.values()),
        )

    def coarse(self, person_id: str) -> tuple[str | None, str | None]:
        """Site and grade band, each only where at least ten people share it."""
        site, band = self.place.get(person_id, (None, None))
        if self.bands[band] < SMALLEST_CELL:
            return None, None
        return (site if self.together[site, band] >= SMALLEST_CELL else None), band


def _month(day: date | datetime | None) -> str | None:
    return None if day is None else f"{day:%Y-%m}"


def _figure(name: str, counts: Mapping[str, int]) -> Iterator[FigureLine]:
    told, total = suppressed(counts)
    for group in sorted(told):
        yield FigureLine(figure=name, group=group, count=told[group])
    yield FigureLine(figure=name, group="total", count=total)


def _jsonl(stream: Any, _: type[Any], lines: Iterator[Any]) -> int:
    return sum(stream.write(msgspec.json.encode(asdict(line)) + b"\n") > 0 for line in lines)


def _csv(stream: Any, shape: type[Any], lines: Iterator[Any]) -> int:
    names = [f.name for f in fields(shape)]
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(names)
    rows = ([getattr(line, name) for name in names] for line in lines)
    told = [["" if v is None else escape_cell(str(v)) for v in row] for row in rows]
    writer.writerows(told)
    text.detach()
    return len(told)
