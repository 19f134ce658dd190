"""Throws mutated files at every reader of files: a plan or a refusal, never anything else.

A second for each target among the other tests; ``make fuzz`` gives them more. A failure prints
the seed that makes the same bytes again: ``ASSETFLOW_FUZZ_SEED=... pytest tests/fuzz``.
"""

import io
import os
import random
import time
import zipfile
from datetime import UTC, datetime

import pytest

from assetflow.connectors.oneroster import read_roster
from assetflow.errors import AssetflowError
from assetflow.exchange.imports import DeviceImport, PersonImport, apply
from assetflow.exchange.rosters import RosterImport
from assetflow.files import FileLimits, open_archive, read_table
from assetflow.model import District, DistrictPolicy
from assetflow.model.events import DistrictCreated
from assetflow.store.journal import verify
from assetflow.store.memory import MemoryStore
from assetflow.store.ports import Entry, Put
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import inventory_csv, roster_zip
from assetflow.workflows.acting import Act

SECONDS = float(os.environ.get("ASSETFLOW_FUZZ_SECONDS", "1"))
SEED = os.environ.get("ASSETFLOW_FUZZ_SEED")
SLOWEST = 5.0  # seconds for one small file: more would be a way to stall an import
AT = datetime(2026, 8, 17, tzinfo=UTC)
LIMITS = FileLimits(max_bytes=1 << 20, max_rows=400, max_record=1 << 14, max_inflated=4 << 20)

TOKENS = [
    b'"', b'""', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\0", b"=", b"=1+1", b"1E+21", b"#REF!",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"\x81", b"\xc3\x28", b"\xe2\x80\xae", b"(clear)", b"NULL",
    b"assetflow_line,assetflow_column,assetflow_reason,", b"Serial #", b"Asset Tag", b"31/12/2026", b"-1", b"9" * 40,
    b"x" * 300, b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"\x1f\x8b", b"tobedeleted", b"bulk", b"delta",
]  # fmt: skip


def mutate(rng, data):
    """The bytes after a few small accidents."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(7):
            case 0 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at] = rng.choice(TOKENS)
            case 2:
                del data[at : min(end, at + rng.randint(1, 200))]
            case 3:
                data[at:at] = data[at : min(end, at + 400)]
            case 4:
                del data[at if rng.random() < 0.2 else len(data) :]
            case 5:
                data[at : at + 4] = rng.randbytes(4)
            case _:
                data[at:at] = rng.choice(TOKENS) * rng.randint(1, 60)
    return bytes(data)


def lines(data, rng, most=30):
    """The headings and some rows of a table."""
    head, *rest = data.splitlines(keepends=True)
    return head + b"".join(rng.sample(rest, min(most, len(rest))))


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def made():
    return seed_district()


@pytest.fixture(scope="module")
def small_roster(made):
    """Makes a roster of a few organisations and users."""
    files = unzipped(roster_zip(made))

    def make(rng):
        return {**files, "users.csv": lines(files["users.csv"], rng)}

    return make


class Place:
    """A district that a target may import into."""

    def __init__(self):
        self.store, self.count = MemoryStore(), 0
        with self.store.write("fuzz") as tx:
            row = District(id="fuzz", name="Fuzz")
            event = DistrictCreated(name="Fuzz")
            stamp = self.act().stamp()
            tx.record([Entry(event=event, subject_id="fuzz", stamp=stamp, puts=(Put(row),))])

    def new_id(self):
        self.count += 1
        return f"{self.count:08d}"

    def act(self):
        return Act(actor_id="a", at=AT, new_id=self.new_id, policy=DistrictPolicy())

    def take(self, how, data):
        """Plan and apply; what was planned is what is done, and the journal holds."""
        with self.store.read("fuzz") as tx:
            plan = how.plan(tx, data, at=AT)
        plan.summary()
        plan.as_dict()
        assert plan.total == len(plan.rows) + len(plan.rejects)
        assert all(r.findings for r in plan.rejects)
        report = apply(self.store, plan, self.act(), entropy=bytes)
        assert report.again or report.created == len(plan.adds)
        with self.store.read("fuzz") as tx:
            verify(tx)
            again = how.plan(tx, data, at=AT)
        assert again.applied is not None


def fuzz(make, target):
    """Give a target one mutated input after another until its time is up."""
    first = int(SEED) if SEED else random.SystemRandom().getrandbits(48)
    until, tried = time.monotonic() + SECONDS, 0
    while tried == 0 or (time.monotonic() < until and not SEED):
        seed, began = first + tried, time.monotonic()
        try:
            target(make(random.Random(seed)))
        except AssetflowError:
            pass  # refused with a reason, as it should be
        except BaseException as error:
            error.add_note(f"ASSETFLOW_FUZZ_SEED={seed}")
            raise
        assert time.monotonic() - began < SLOWEST, f"slow: ASSETFLOW_FUZZ_SEED={seed}"
        tried += 1
    assert tried >= 1


pytestmark = pytest.mark.timeout(SECONDS * 3 + 60)


def test_a_mutated_table_is_read_or_refused():
    base = 'Tag,Serial,City\r\nLHS-1,"5CD,1",Lincoln\nLHS-2,5CD2,"two\nlines"\nLHS-3;x;y\n'
    encodings = ("utf-8", "utf-8-sig", "utf-16", "cp1252")

    def make(rng):
        return mutate(rng, base.encode(rng.choice(encodings)))

    def target(data):
        table = read_table(data, known=lambda h: h in {"Tag", "Serial", "City"}, limits=LIMITS)
        last = table.header_line
        for row in table.rows():
            assert row.line > last
            assert row.problem or len(row.cells) == len(table.headers)
            last = row.line

    fuzz(make, target)


def test_a_mutated_archive_is_read_or_refused(small_roster):
    def make(rng):
        return mutate(rng, zipped(small_roster(rng)))

    def target(data):
        with open_archive(data, limits=LIMITS) as archive:
            for name in archive.names:
                found = archive.find(name.rpartition("/")[2])
                with found.open() as stream:
                    assert len(stream.read(LIMITS.max_inflated + 1)) <= LIMITS.max_inflated

    fuzz(make, target)


def test_a_mutated_roster_is_read_or_refused(small_roster):
    def make(rng):
        files = small_roster(rng)
        name = rng.choice(sorted(files))
        return zipped({**files, name: mutate(rng, files[name])})

    def target(data):
        roster = read_roster(data, limits=LIMITS)
        assert {r.observed.source_id for r in roster.people} <= roster.seen

    fuzz(make, target)


def test_a_mutated_roster_is_planned_and_applied_or_refused(small_roster):
    def make(rng):
        files = small_roster(rng)
        name = rng.choice(["orgs.csv", "users.csv"])
        return zipped(files), zipped({**files, name: mutate(rng, files[name])})

    def target(both):
        place = Place()
        for data in both:
            place.take(RosterImport(limits=LIMITS), data)

    fuzz(make, target)


@pytest.mark.parametrize(
    "options", [{}, {"create_sites": True}, {"match_on": "asset_tag", "create_sites": True}]
)
def test_a_mutated_inventory_is_planned_and_applied_or_refused(made, options):
    inventory = inventory_csv(made)
    people = b"ID,Email,Role\n0042,ann@x.example,student\n"

    def make(rng):
        base = lines(inventory, rng, 20)
        return base, mutate(rng, base)

    def target(both):
        place = Place()
        place.take(PersonImport(limits=LIMITS), people)
        for data in both:
            place.take(DeviceImport(limits=LIMITS, **options), data)

    fuzz(make, target)


def test_a_mutated_list_of_people_is_planned_and_applied_or_refused():
    base = (
        b"Student ID,First Name,Last Name,Email,Grade,School,Role,Status,Exit Date\n"
        b"0042,Ann,Lee,ann@x.example,7,LHS,student,active,\n"
        b"0043,Bo,Null,bo@x.example,K,LHS,student,withdrawn,5/29/2026\n"
        b"7,Tea,Cher,tea@x.example,,CMS,teacher,,\n"
        b",Mum,Lee,mum@x.example,,,parent,,\n"
    )

    def target(data):
        place = Place()
        for file in (base, data):
            place.take(PersonImport(limits=LIMITS, create_sites=True), file)

    fuzz(lambda rng: mutate(rng, base), target)
