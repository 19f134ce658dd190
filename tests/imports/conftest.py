"""A district to import into, with ids and a clock that a test can rely on."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from assetflow.exchange.imports import DeviceImport, PersonImport, apply
from assetflow.model import (
    Custody,
    CustomField,
    Device,
    District,
    DistrictPolicy,
    F,
    FundingShare,
    Person,
    Place,
    PlaceKind,
    Query,
)
from assetflow.model.events import DistrictCreated
from assetflow.store.journal import verify
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put
from assetflow.workflows.acting import Act
from assetflow.workflows.places import upsert_place

AT = datetime(2026, 8, 17, 13, 5, tzinfo=UTC)


def table(*rows):
    """Rows as the bytes of a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


class Office:
    """A district, and somebody in its technology office."""

    district = "lincoln"

    def __init__(self, store=None, *, sites=("LHS", "CMS")):
        self.store = store or MemoryStore()
        self.made = 0
        self.at = AT
        with self.write() as tx:
            created = DistrictCreated(name="Lincoln")
            row = District(id=self.district, name="Lincoln", time_zone="America/Chicago")
            stamp = self.act().stamp()
            tx.record([Entry(event=created, subject_id=row.id, stamp=stamp, puts=(Put(row),))])
        with self.write() as tx:
            for code in sites:
                upsert_place(tx, self.act(), PlaceKind.SITE, f"School {code}", code=code)

    def new_id(self):
        self.made += 1
        return f"id-{self.made:06d}"

    def act(self):
        return Act(actor_id="actor", at=self.at, new_id=self.new_id, policy=DistrictPolicy())

    def entropy(self, count):
        self.made += 1
        return self.made.to_bytes(4, "big") * (count // 4)

    def later(self, **span):
        self.at += timedelta(**span)

    def write(self):
        return self.store.write(self.district)

    def read(self):
        return self.store.read(self.district)

    def do(self, verb, *args, **kwargs):
        with self.write() as tx:
            return verb(tx, self.act(), *args, **kwargs)

    def plan(self, file, *, what=DeviceImport, **options):
        with self.read() as tx:
            return what(**options).plan(tx, file, at=self.at)

    def people(self, file, **options):
        return self.plan(file, what=PersonImport, **options)

    def apply(self, plan, **options):
        return apply(self.store, plan, self.act(), entropy=self.entropy, **options)

    def take(self, file, **options):
        """Plan and apply."""
        plan = self.plan(file, **options)
        return plan, self.apply(plan)

    def all(self, kind):
        with self.read() as tx:
            return list(tx.find(Query(kind=kind)))

    def device(self, tag):
        with self.read() as tx:
            (found,) = tx.find(Query(kind=Device, where=F.asset_tag == tag))
            return found

    def events(self, **which):
        with self.read() as tx:
            return list(tx.journal(**which))

    def seq(self):
        with self.read() as tx:
            return tx.head().seq

    def verified(self):
        with self.read() as tx:
            return verify(tx).events

    def state(self):
        """What the district holds, without ids, versions and times: equal for equal outcomes."""
        places = {p.id: p for p in self.all(Place)}
        people = {p.id: p.local_id or p.email for p in self.all(Person)}

        def name(place_id):
            path = []
            while place_id is not None:
                path.append(places[place_id].name)
                place_id = places[place_id].parent_id
            return "/".join(path)

        devices = {}
        for d in self.all(Device):
            devices[d.id] = key = (d.asset_tag or "", d.serial or "")
            devices[key] = (
                d.model, d.manufacturer, d.lifecycle, d.custody, d.condition, d.funding, name(d.site_id),
                name(d.room_id), d.purchase_cost, d.acquired_on, d.installed_on, d.order_line,
                d.warranty_ends, d.auto_update_ends, d.custom,
            )  # fmt: skip
        held = sorted((devices[c.device_id], people[c.accountable_id]) for c in self.all(Custody))
        paid = sorted(
            (devices[s.device_id], s.fund, s.basis_points) for s in self.all(FundingShare)
        )
        known = sorted(
            (p.local_id or "", p.email or "", p.kind.value, p.status.value, p.given_name or "",
             p.family_name or "", p.grade or "", name(p.site_id), str(p.left_on))
            for p in self.all(Person)
        )  # fmt: skip
        rooms = sorted(name(p) for p in places)
        fields = sorted(f.name for f in self.all(CustomField))
        named = {k: v for k, v in devices.items() if isinstance(k, tuple)}
        return named, held, paid, known, rooms, fields


@pytest.fixture
def office():
    """A district with two schools, and nothing else."""
    return Office()


@pytest.fixture(scope="session")
def make_office():
    """Makes a district like *office*."""
    return Office


@pytest.fixture(scope="session")
def csv_of():
    """Rows as the bytes of a CSV file."""
    return table
