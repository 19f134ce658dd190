"""Two districts side by side in one store, alike in everything but a word that marks what is whose.

Every text that the district ``deer-1`` holds contains *deer*, every text of ``hawk-1`` *hawk*:
letters that no folding of tags and serials changes. So whatever shows *hawk* where it was not
said comes from the other district.
"""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from attrs import evolve

import assetflow
from assetflow import usd
from assetflow.model import (
    CustomType,
    Holder,
    HolderKind,
    Management,
    ObservedDevice,
    Query,
    Record,
)
from assetflow.rules.funding import NewShare
from assetflow.store.journal import load_event
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put, Store
from assetflow.store.schema import KINDS, ColumnType, Kind
from assetflow.store.sql import SqlStore
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import upgrade
from assetflow.testing.canned import CannedConnector

AT = datetime(2026, 8, 17, 13, 5, tzinfo=UTC)
DAY = date(2026, 8, 17)
OWN, FOREIGN = "deer", "hawk"


def observed(mark: str, number: int) -> ObservedDevice:
    return ObservedDevice(
        f"{mark}-vendor-{number}",
        serial=f"{mark}-serial-{number}",
        asset_tag=f"{mark}-tag-{number}",
        model=f"{mark} Chromebook",
        status="ACTIVE",
        management=Management.MANAGED,
        org_unit_id=f"{mark}-unit",
        org_unit_path=f"/{mark}",
        assigned_to=f"{mark}.student@example.org",
        last_seen_at="2026-08-16T15:00:00.000000Z",
        recent_user=f"{mark}.recent@example.org",
        notes=f"{mark} vendor note",
    )


def source(mark: str) -> CannedConnector:
    """A source that knows the first two devices of a district, and one that fits none."""
    twin = evolve(observed(mark, 1), source_id=f"{mark}-vendor-twin")
    found = [observed(mark, 1), observed(mark, 2), twin]
    return CannedConnector({f"{mark}-unit": found}, name="google")


def inventory(mark: str) -> bytes:
    return (
        f"Serial,Asset Tag,Model,Site\n{mark}-serial-3,{mark}-tag-3,{mark} Imported,{mark}-site\n"
    ).encode()


def people_list(mark: str) -> bytes:
    return (
        "Student ID,First Name,Last Name,Email,Grade\n"
        f"{mark}-9,{mark}ana,{mark}listed,{mark}.listed@example.org,09\n"
    ).encode()


def roster(mark: str) -> bytes:
    """A OneRoster zip with one school and one student."""
    files = {
        "manifest.csv": "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\n"
        "file.orgs,bulk\nfile.users,bulk\n",
        "orgs.csv": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n"
        f"{mark}-org,,,{mark} Middle,school,{mark}-org,\n",
        "users.csv": "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,"
        "userIds,givenName,familyName,middleName,identifier,email,sms,phone,agentSourcedIds,grades,"
        f"password\n{mark}-user,,,true,{mark}-org,student,{mark}-user,,{mark}given,{mark}family,,"
        f"{mark}-1,{mark}.1@example.org,,,,09,\n",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


class Furnished:
    """A district with something of every kind."""

    def __init__(self, store: Store, district_id: str, mark: str) -> None:
        self.mark = mark
        numbers = itertools.count(1)
        self.district = assetflow.open(
            store,
            district=district_id,
            create=True,
            name=f"{mark} Unified",
            actor=f"it@{mark}.example",
            clock=lambda: AT,
            new_id=lambda: f"{mark}-{next(numbers):06d}",
        )
        self._furnish()
        self.fill()

    def _furnish(self) -> None:
        d, m = self.district, self.mark
        site = d.places.add("site", f"{m} High", code=f"{m}-site")
        d.places.add("room", f"{m} room", code=f"{m}-room", within=site)
        d.devices.declare_field(f"{m}_field", CustomType.TEXT, label=f"{m} label")
        d.devices.set_model(f"{m} Chromebook", replacement_cost=usd("319"), manufacturer=f"{m} Co")
        for number in (1, 2, 4, 5):
            d.devices.register(
                asset_tag=f"{m}-tag-{number}",
                serial=f"{m}-serial-{number}",
                model=f"{m} Chromebook",
                site_id=site.id,
                order_line=f"{m}-order",
            )
        for number, kind in enumerate(("student", "student", "guardian"), 1):
            d.people.register(
                kind,
                local_id=f"{m}-{number}",
                given_name=f"{m}given{number}",
                family_name=f"{m}family{number}",
                email=f"{m}.{number}@example.org",
                site_id=site.id,
                homeroom=f"{m}-homeroom",
            )
        d.people.link_guardian(f"{m}-1", f"{m}-3", relation="parent")
        self.hold = d.people.place_hold(f"{m}-2", amount=usd("20"), note=f"{m} hold note")
        d.calendars.set("2026-27", first_day=date(2026, 8, 10), last_day=date(2027, 5, 28))
        d.devices.fund(f"{m}-tag-1", [NewShare(fund=f"{m}-fund", award_number=f"{m}-award")])
        d.policy.adopt(f"# {m}\n")
        d.imports.apply(d.imports.plan_devices(inventory(m)))
        d.imports.apply(d.imports.plan_people(people_list(m)))
        d.pull(source(m), max_new_percent=100)
        d.custody.check_out(
            f"{m}-tag-1",
            to=f"{m}-1",
            note=f"{m} custody note",
            key=f"{m}-request",
            kind="assignment",
        )
        hook = f"https://hooks.{m}.example/{m}-token"
        d.webhooks.add(f"{m}-portal", url=hook, secrets=[f"${{{m.upper()}_SECRET}}"])
        self.file_plan = d.imports.plan_devices(inventory(m).replace(b"-3,", b"-8,"))

    def fill(self) -> None:
        """A row of every kind that the verbs left empty, made from the columns alone."""
        with self.district.store.write(self.district.id) as tx:
            for kind in KINDS.values():
                if tx.count(Query(kind=kind.record)):
                    continue
                record = filled(kind, self.mark, parents(tx, kind))
                if not kind.journalled:
                    tx.insert([record])
                    continue
                stored = next(tx.journal())
                _, stamp = load_event(stored)
                event = assetflow.model.events.DeviceEdited(fields=(kind.name,))
                tx.record(
                    [
                        Entry(
                            event=event,
                            subject_id=f"{self.mark}-x",
                            stamp=stamp,
                            puts=(Put(record),),
                        )
                    ]
                )

    # --- what it holds ---

    def records(self, name: str) -> list[Any]:
        with self.district.store.read(self.district.id) as tx:
            return list(tx.find(Query(kind=KINDS[name].record)))

    def texts(self, name: str, *fields: str) -> list[str]:
        """All known texts of these fields of a kind."""
        found = [getattr(r, f) for r in self.records(name) for f in fields]
        return list(dict.fromkeys(t for t in found if t is not None))

    @property
    def holders(self) -> list[Any]:
        person, place = self.records("person")[0], self.records("place")[0]
        device = self.records("device")[0]
        values = [
            (HolderKind.PERSON, person),
            (HolderKind.PLACE, place),
            (HolderKind.DEVICE, device),
        ]
        return [person, place, device, *(Holder(kind, v.id) for kind, v in values)]

    def snapshot(self) -> Mapping[str, Any]:
        """All that the store keeps of the district: its tables, and its journal."""
        with self.district.store.read(self.district.id) as tx:
            found: dict[str, Any] = {
                name: list(tx.values(Query(kind=k.record), [c.name for c in k.columns]))
                for name, k in KINDS.items()
            }
            return found | {"head": tx.head(), "journal": list(tx.journal())}


def parents(tx: Any, kind: Kind) -> dict[str, str]:
    """Ids of records that a kind refers to, by field."""
    return {
        field: next(iter(tx.find(Query(kind=KINDS[target].record)))).id
        for field, target in kind.refers
    }


def filled(kind: Kind, mark: str, refers: Mapping[str, str]) -> Record:
    """A record with every column known."""
    row: list[Any] = []
    for column in kind.columns:
        plain: Any
        match column.type:
            case ColumnType.TEXT if isinstance(column.python, type) and column.python is not str:
                plain = next(iter(column.python)).value
            case ColumnType.TEXT if column.name == "owner":
                plain = f"{mark}:1:{mark}"  # a machine, a process, a random word
            case ColumnType.TEXT:
                plain = refers.get(column.field, f"{mark}-{kind.name}-{column.name}")
            case ColumnType.INSTANT:
                plain = "2026-08-17T13:05:00.000000Z"
            case ColumnType.DATE:
                plain = "2026-08-17"
            case ColumnType.CURRENCY:
                plain = "USD"
            case ColumnType.JSON:
                plain = "[]"
            case ColumnType.BYTES:
                plain = f"{mark}-bytes".encode()
            case ColumnType.FLAG:
                plain = 0
            case ColumnType.INTEGER | ColumnType.MINOR:
                plain = 1
        row.append(plain)
    return kind.codec.record(tuple(row))


class Pair:
    """Two districts in one store, made anew when the first was changed."""

    def __init__(self, open_store: Callable[..., Store]) -> None:
        self.commits: list[str] = []
        self.store = open_store(on_commit=lambda district, *_: self.commits.append(district))
        # a database may serve several modules of tests
        numbers = [d.partition("-")[2] for d in self.store.districts() if d.startswith(OWN)]
        taken = [int(number) for number in numbers if number.isdecimal()]
        self._numbers = itertools.count(max(taken, default=0) + 1)
        self.renew()

    def unreached(self) -> None:
        """The other district is as it was."""
        assert self.foreign.snapshot() == self.foreign_before

    def renew(self) -> None:
        number = next(self._numbers)
        self.own = Furnished(self.store, f"{OWN}-{number}", OWN)
        self.foreign = Furnished(self.store, f"{FOREIGN}-{number}", FOREIGN)
        self.foreign_before = self.foreign.snapshot()


@pytest.fixture(scope="session")
def postgres_url(postgres: Any) -> str:
    """A new database of a PostgreSQL server, with a store's tables, for an ordinary role."""
    with psycopg.connect(f"{postgres.url}postgres", autocommit=True) as maker:
        maker.execute("CREATE DATABASE tenancy")
    engine = engine_for(f"{postgres.url}tenancy", lock_timeout=20)
    try:
        upgrade(engine)
    finally:
        engine.close()
    return f"{postgres.url}tenancy"


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres"])
def store_maker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Store]:
    """Opens a store of each engine."""

    def open_store(**how: Any) -> Store:
        if request.param == "memory":
            return MemoryStore(**how)
        if request.param == "sqlite":
            folder = tmp_path_factory.mktemp("districts")
            return SqlStore.open(f"sqlite:///{folder / 'districts.db'}", **how)
        return SqlStore.open(request.getfixturevalue("postgres_url"), **how)

    return open_store


@pytest.fixture(scope="module")
def pair(store_maker: Callable[..., Store]) -> Iterator[Pair]:
    made = Pair(store_maker)
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def furnish() -> type[Furnished]:
    """Makes districts with something of every kind."""
    return Furnished


@pytest.fixture(scope="session")
def samples() -> Mapping[str, Any]:
    """Files and a source that name what a district with a mark holds."""
    return {
        "source": source,
        "inventory": inventory,
        "people": people_list,
        "roster": roster,
    }
