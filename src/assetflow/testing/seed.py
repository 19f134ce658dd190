"""A made-up school district: 1,200 devices, 1,000 people, five sites, the same at every call.

Nobody and nothing in it is real: names come from short invented lists, makers and models too.
It has what a real one has: serials typed with O for 0, tags used twice, devices that only one
system knows, Chromebooks past their last update, students who left with a device.

>>> from assetflow.testing.seed import seed_district
>>> made = seed_district()
>>> made.name, len(made.devices), len(made.people)
('Maple Valley ISD', 1200, 1000)

The files and the fleet that tell of it are in [`seed_files`][assetflow.testing.seed_files].
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from uuid import UUID

from attrs import evolve

from assetflow.testing.seed_values import (
    HandOut,
    SeededDevice,
    SeededDistrict,
    SeededModel,
    SeededPerson,
    SeededSite,
    school_year_begins,
)

__all__ = ["seed_district"]

# Words in rows read better than columns of sixty strings.
_GIVEN = (  # noqa: SIM905
    "Ada Alba Anouk Arlo Bea Bram Calla Cleo Dario Della Edda Elio Enzo Esme Faro Fenna Gaia Greta "
    "Hale Hedda Ilse Ines Ivo Jory José Juno Kaia Kell Lark Leif Liv Lumi Łucja Maren Milo Mira Nell "
    "Noa Odin Orla Otis Pax Perla Quill Remy Rhea Rune Saga Senna Søren Tala Thea Tove Ulla Vera "
    "Wren Yara Zadie Zoë Zuri"
).split()
_FAMILY = (  # noqa: SIM905
    "Alderbrook Applefield Ashgrove Barleycote Birchall Bramblewood Brookhollow Cedarholm Cloverdale "
    "Copperfen Dovemoor Elderflower Fernwood Foxglade Gorsewell Hazelrigg Heatherby Hollowell "
    "Ivybridge Juniperton Kingcup Larkspurr Lindenau Mapleson Marlowick Meadowrue Mistelton "
    "Mossgarden Nettleford Oakhanger O'Quillfeather Pebblebrook Pinecastle Quincewood Rosenhag "
    "Rowantree Sedgemoor Silverbirch Smith-Elmwood Sorrelby Tamarind Thistledown Umberfield "
    "Vetchling Willowmere Yarrowby"
).split()


_SITES = (
    SeededSite(
        code="MVH",
        name="Maple Valley High School",
        grades=("09", "10", "11", "12"),
        rooms=("Library", "Room 101", "Room 118", "Room 204", "Help Desk", "Cart H1", "Cart H2"),
    ),
    SeededSite(
        code="CMS",
        name="Cedar Middle School",
        grades=("06", "07", "08"),
        rooms=("Media Center", "Room 12", "Room 27", "Cart C1", "Cart C2"),
    ),
    SeededSite(
        code="BES",
        name="Birch Elementary School",
        grades=("KG", "01", "02", "03", "04", "05"),
        rooms=("Room 3", "Room 8", "Cart B1", "Cart B2", "Cart B3"),
    ),
    SeededSite(
        code="WES",
        name="Willow Elementary School",
        grades=("KG", "01", "02", "03", "04", "05"),
        rooms=("Room 2", "Room 9", "Cart W1", "Cart W2", "Cart W3"),
    ),
    SeededSite(code="OPS", name="Operations Center", rooms=("Stock Room", "Repair Bench")),
)

_OLD = SeededModel(
    name="Kestrel Chromebook 11 G7",
    maker="Kestrel",
    category="chromebook",
    cents=219_00,
    years_old=6,
    updates_end=0,
)
_AGING = SeededModel(
    name="Kestrel Chromebook 11 G9",
    maker="Kestrel",
    category="chromebook",
    cents=249_00,
    years_old=4,
    updates_end=1,
    extended=2,
)
_SOLID = SeededModel(
    name="Norden 300e Chromebook",
    maker="Norden",
    category="chromebook",
    cents=299_95,
    years_old=3,
    updates_end=4,
)
_NEW = SeededModel(
    name="Alder Spin 511",
    maker="Alder",
    category="chromebook",
    cents=339_00,
    years_old=1,
    updates_end=8,
)
_LAPTOP = SeededModel(
    name="Norden L14", maker="Norden", category="laptop", cents=874_50, years_old=2
)
_TABLET = SeededModel(
    name="Kestrel Slate 10", maker="Kestrel", category="tablet", cents=329_00, years_old=2
)
_HOTSPOT = SeededModel(
    name="Alder Hotspot 5", maker="Alder", category="hotspot", cents=84_00, years_old=3
)
# how many of each: 1,050 Chromebooks and 150 other things
_FLEET = (
    (_OLD, 86),
    (_AGING, 314),
    (_SOLID, 350),
    (_NEW, 300),
    (_LAPTOP, 60),
    (_TABLET, 50),
    (_HOTSPOT, 40),
)
_STUDENTS = {"MVH": 240, "CMS": 180, "BES": 150, "WES": 150}
_STAFF = {"MVH": 18, "CMS": 16, "BES": 12, "WES": 12, "OPS": 2}
_GUARDIANS = 220
_LEAVERS = 5

_ONLY_AT_GOOGLE = 44
_ONLY_IN_INVENTORY = 31
_MISTYPED = 6
_ELSEWHERE = 9
_OTHER_TAG = 4
_DISABLED = 7
_DEPROVISIONED = 5
_LOST = 3
_UNNAMED = 4
_LOANS = 24
_OVERDUE = 17


def seed_district(seed: int = 7, *, day: date = date(2026, 11, 24)) -> SeededDistrict:
    """Make up a district; the same arguments make the same one, on every machine.

    Args:
        seed: Which one.
        day: The day on which it lives: purchases, loans and last contacts count from here.
    """
    rng = Random(seed)
    people = tuple(_people(rng))
    begins = school_year_begins(day)
    staff = [p.local_id for p in people if p.role in {"teacher", "administrator"}]
    devices = _assign(tuple(_devices(rng, begins)), staff)
    devices, hand_outs = _hand_out(rng, devices, people, begins, day)
    return SeededDistrict(
        seed=seed,
        day=day,
        id="maple-valley",
        name="Maple Valley ISD",
        sites=_SITES,
        models=tuple(model for model, _ in _FLEET),
        people=people,
        devices=devices,
        hand_outs=hand_outs,
    )


def _people(rng: Random) -> Iterator[SeededPerson]:
    names = [(given, family) for given in _GIVEN for family in _FAMILY]
    rng.shuffle(names)
    taken = iter(names)
    students = []
    for site in _SITES:
        for number in range(_STUDENTS.get(site.code, 0)):
            given, family = next(taken)
            grade = site.grades[number % len(site.grades)]
            rooms = [r for r in site.rooms if r.startswith("Room")]
            students.append((given, family, site.code, grade, rooms[number % len(rooms)]))
    rng.shuffle(students)
    leavers = set(_spread(rng, [i for i, s in enumerate(students) if s[2] == "MVH"], _LEAVERS))
    staying = [i for i in range(len(students)) if i not in leavers]
    parents = {i: f"G{i:05d}" for i in _spread(rng, staying, _GUARDIANS)}
    for i, (given, family, code, grade, room) in enumerate(students):
        yield SeededPerson(
            # every seventh number begins with a zero, as numbers of older systems do
            local_id=f"{'0' if i % 7 == 0 else '2'}{40_000 + i * 13:05d}",
            role="student",
            given=given,
            family=family,
            site=code,
            grade=grade,
            homeroom=room,
            guardians=(parents[i],) if i in parents else (),
            left=i in leavers,
        )
    for code, count in _STAFF.items():
        for number in range(count):
            given, family = next(taken)
            role = "administrator" if number == 0 else "teacher"
            yield SeededPerson(
                local_id=f"E{rng.randrange(1000, 9999)}{number:02d}{code[0]}",
                role=role,
                given=given,
                family=family,
                site=code,
            )
    for i, guardian in parents.items():
        given, _ = next(taken)
        yield SeededPerson(
            local_id=guardian,
            role="guardian",
            given=given,
            family=students[i][1],
            site=students[i][2],
        )


def _spread(rng: Random, population: list[int], count: int) -> list[int]:
    """So many different members, in their order."""
    return sorted(rng.sample(population, count))


def _serial(rng: Random, model: SeededModel) -> str:
    """A serial in the maker's style. Each holds a 0, so that a person can mistype it."""
    digits = "".join(rng.choice("123456789") for _ in range(3))
    tail = "".join(rng.choice("CDFGHJKLMNPQRTVWXY346789") for _ in range(3))
    prefix = {"Kestrel": "5CD0", "Norden": "PF0", "Alder": "NXK0"}[model.maker]
    return f"{prefix}{digits}{tail}"


def _devices(rng: Random, begins: date) -> Iterator[SeededDevice]:
    fleet = [model for model, count in _FLEET for _ in range(count)]
    serials: set[str] = set()
    while len(serials) < len(fleet):
        serials.add(_serial(rng, fleet[len(serials)]))
    unused = {maker: iter(sorted(s for s in serials if s[:2] == mark)) for maker, mark in _MARKS}
    chromebooks = [i for i, model in enumerate(fleet) if model.category == "chromebook"]
    special = rng.sample(chromebooks, len(chromebooks))
    kinds: dict[int, str] = {}
    for kind, count in (
        ("google-only", _ONLY_AT_GOOGLE),
        ("inventory-only", _ONLY_IN_INVENTORY),
        ("mistyped", _MISTYPED),
        ("elsewhere", _ELSEWHERE),
        ("other-tag", _OTHER_TAG),
        ("disabled", _DISABLED),
        ("deprovisioned", _DEPROVISIONED),
        ("lost", _LOST),
    ):
        kinds.update((special.pop(), kind) for _ in range(count))
    for number, model in enumerate(fleet):
        yield _device(rng, number, model, next(unused[model.maker]), kinds.get(number, ""), begins)


_MARKS = (("Kestrel", "5C"), ("Norden", "PF"), ("Alder", "NX"))


def _device(
    rng: Random, number: int, model: SeededModel, serial: str, kind: str, begins: date
) -> SeededDevice:
    weights = {"laptop": (1, 1, 1, 1, 1), "hotspot": (0, 0, 0, 0, 1)}
    site = rng.choices(_SITES, weights.get(model.category, (9, 7, 5, 5, 1)))[0]
    tag = f"{site.code}-{10_000 + number * 7:06d}"
    shape = "broken" if number % 97 == 11 else "poor" if number % 41 == 5 else "good"
    bought = date(begins.year - model.years_old, 7, 1) + timedelta(days=rng.randrange(24))
    known = model.category == "chromebook" and kind != "inventory-only"
    others = [s.code for s in _SITES if s.grades and s.code != site.code]
    words = {"deprovisioned": "Retired", "lost": "Lost"}
    return SeededDevice(
        serial=serial,
        tag=None if kind == "google-only" else tag,
        model=model,
        site=site.code,
        room=rng.choice(site.rooms),
        condition="new" if model is _NEW and shape == "good" and number % 3 else shape,
        acquired_on=bought,
        vendor_id=str(UUID(int=rng.getrandbits(128), version=4)) if known else None,
        vendor_status={"disabled": "DISABLED", "deprovisioned": "DEPROVISIONED"}.get(
            kind, "ACTIVE"
        ),
        vendor_site=rng.choice(others) if kind == "elsewhere" else None,
        typed_serial=serial.replace("0", "O", 1) if kind == "mistyped" else None,
        vendor_tag=f"MV-{number:04d}" if kind == "other-tag" else None,
        inventoried=kind != "google-only",
        status=words.get(kind, "In repair" if shape == "broken" and number % 2 else "In stock"),
    )


def _assign(devices: tuple[SeededDevice, ...], staff: list[str]) -> tuple[SeededDevice, ...]:
    """Give the staff their laptops; of the last few the inventory does not say who has them."""
    laptops = [i for i, device in enumerate(devices) if device.model.category == "laptop"]
    named = dict(zip(laptops, staff[: len(laptops) - _UNNAMED], strict=False))
    return tuple(
        evolve(device, status="Assigned", assigned_to=named.get(i)) if i in laptops else device
        for i, device in enumerate(devices)
    )


def _hand_out(
    rng: Random,
    devices: tuple[SeededDevice, ...],
    people: tuple[SeededPerson, ...],
    begins: date,
    day: date,
) -> tuple[tuple[SeededDevice, ...], tuple[HandOut, ...]]:
    """Give each student of the upper grades a Chromebook in August, and lend some since."""
    stock: dict[str, list[SeededDevice]] = {}
    for device in devices:
        settled = device.inventoried and device.typed_serial is None
        ready = settled and device.status == "In stock" and device.condition in {"new", "good"}
        if ready and device.model.category == "chromebook":
            stock.setdefault(device.site, []).append(device)
    for waiting in stock.values():
        rng.shuffle(waiting)
        # those that Google has locked are handed out first: nobody looked
        waiting.sort(key=lambda device: device.vendor_status == "DISABLED")
    acts: list[HandOut] = []
    for person in people:
        if (person.left or person.grade in {"06", "09", "12"}) and stock[person.site]:
            device = stock[person.site].pop()
            acts.append(HandOut(tag=device.tag or "", to=person.local_id, on=begins))
    has = {act.to for act in acts}
    borrowers = [p for p in people if p.grade and not p.left and p.local_id not in has]
    for number, person in enumerate(rng.sample(borrowers, _LOANS)):
        device = stock[person.site].pop()
        late = number < _OVERDUE
        due = day - timedelta(days=1 + number * 2) if late else day + timedelta(days=3 + number)
        lent = max(begins, min(due, day) - timedelta(days=21))
        acts.append(HandOut(tag=device.tag or "", to=person.local_id, on=lent, due=max(due, lent)))
    acts.sort(key=lambda act: act.on)
    holders = {act.tag: act.to for act in acts}
    named = (_held(device, holders.get(device.tag or "")) for device in devices)
    return tuple(named), tuple(acts)


def _held(device: SeededDevice, holder: str | None) -> SeededDevice:
    return evolve(device, holder=holder) if holder else device
