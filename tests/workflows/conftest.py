"""A made-up district for tests of workflows: in memory, and on SQLite."""

from __future__ import annotations

import itertools
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from assetflow.model import (
    AdoptedPolicy,
    Condition,
    Custody,
    CustomField,
    Device,
    DeviceModel,
    District,
    DistrictPolicy,
    FundingShare,
    Hold,
    Lifecycle,
    OpenCustody,
    Person,
    PersonKind,
    Place,
    PlaceKind,
    Webhook,
)
from assetflow.model.events import (
    CustomFieldDeclared,
    DeviceEdited,
    DeviceModelChanged,
    DeviceRegistered,
    DistrictCreated,
    FundingRecorded,
    HoldPlaced,
    PersonRegistered,
    PlaceChanged,
    PolicyAdopted,
    WebhookAdded,
)
from assetflow.rules.derived import fold_email, fold_name, with_model
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put
from assetflow.store.sql import SqlStore
from assetflow.workflows.acting import Act
from assetflow.workflows.verify import verify

AT = datetime(2026, 8, 17, 13, 5, tzinfo=UTC)

EVENTS = {
    District: DistrictCreated(name="Lincoln"),
    Place: PlaceChanged(),
    Person: PersonRegistered(),
    Device: DeviceRegistered(),
    DeviceModel: DeviceModelChanged(),
    Custody: DeviceEdited(fields=("custody",)),
    OpenCustody: DeviceEdited(fields=("custody",)),
    FundingShare: FundingRecorded(starts_on=date(2026, 7, 1)),
    Hold: HoldPlaced(hold_id="h", kind="manual"),
    AdoptedPolicy: PolicyAdopted(digest="0" * 64),
    CustomField: CustomFieldDeclared(),
    Webhook: WebhookAdded(),
}


class World:
    """A district, its clock and its ids."""

    def __init__(self, *, zone: str = "America/Chicago", store=None) -> None:
        self.store = store or MemoryStore()
        self.district = "lincoln"
        self.now = AT
        self.policy = DistrictPolicy()
        self._ids = itertools.count(1)
        self.add(District(id="lincoln", name="Lincoln", time_zone=zone))

    def new_id(self) -> str:
        return f"id-{next(self._ids):04d}"

    def act(self, **fields) -> Act:
        base = {
            "actor_id": "actor-1",
            "at": self.now,
            "new_id": self.new_id,
            "policy": self.policy,
        }
        return Act(**{**base, **fields})

    def do(self, verb, *args, act=None, **kwargs):
        """Run a workflow in a transaction of its own."""
        with self.store.write(self.district) as tx:
            return verb(tx, act or self.act(), *args, **kwargs)

    def ask(self, question, *args, **kwargs):
        """Run a read in a transaction of its own."""
        with self.store.read(self.district) as tx:
            return question(tx, *args, **kwargs)

    def get(self, kind, *key):
        return self.ask(lambda tx: tx.get(kind, *key))

    def head(self):
        return self.ask(lambda tx: tx.head())

    def add(self, *records):
        """Write records as they are, each with an event of its kind."""
        with self.store.write(self.district) as tx:
            for record in records:
                event = EVENTS.get(type(record))
                if event is None:
                    tx.upsert([record])
                    continue
                key = str(getattr(record, type(record).KEY[0]))
                stamp = self.act().stamp()
                put = (Put(record),)
                tx.record([Entry(event=event, subject_id=key, stamp=stamp, puts=put)])
        return records[0] if len(records) == 1 else records

    def device(self, number="d-1", **fields):
        base = {"id": number, "asset_tag": f"LHS-{number}", "serial": f"SN{number}".upper()}
        defaults = {"lifecycle": Lifecycle.IN_STOCK, "condition": Condition.GOOD}
        model = fields.pop("of", None)
        return self.add(with_model(Device(**{**base, **defaults, **fields}), model))

    def model(self, name="HP Chromebook 11", **fields):
        return self.add(
            DeviceModel(id=fold_name(name), name=name, name_key=fold_name(name), **fields)
        )

    def person(self, number="p-ana", **fields):
        base = {"id": number, "kind": PersonKind.STUDENT, "local_id": f"0{number}"}
        email = fields.get("email")
        return self.add(Person(**{**base, "email_key": fold_email(email), **fields}))

    def place(self, code="LHS", **fields):
        base = {"id": f"place-{code.lower()}", "kind": PlaceKind.SITE, "name": code, "code": code}
        return self.add(Place(**{**base, **fields}))

    def later(self, **delta):
        self.now += timedelta(**delta)
        return self.now

    def check(self):
        """The books are in order."""
        found = self.ask(verify)
        assert found.replayed == ()
        assert found.derived == ()
        return found


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    """Makes stores on SQLite, each a copy of one empty file: quicker than the migrations."""
    folder = tmp_path_factory.mktemp("stores")
    empty = folder / "empty.db"
    SqlStore.open(f"sqlite:///{empty}").close()
    opened = []

    def make():
        path = folder / f"{len(opened)}.db"
        shutil.copyfile(empty, path)
        opened.append(SqlStore.open(f"sqlite:///{path}"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture(params=["memory", "sqlite"])
def world(request, sqlite):
    made = World(store=sqlite() if request.param == "sqlite" else None)
    yield made
    made.store.close()


@pytest.fixture(scope="session")
def worlds():
    """Makes worlds, for properties."""
    return World
