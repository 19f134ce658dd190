"""What a made-up district is made of. Values; [`seed`][assetflow.testing.seed] makes them up."""

from __future__ import annotations

from datetime import date

from attrs import field, frozen

__all__ = [
    "HandOut",
    "SeededDevice",
    "SeededDistrict",
    "SeededModel",
    "SeededPerson",
    "SeededSite",
    "school_year_begins",
]

_ASCII = str.maketrans({"é": "e", "ë": "e", "ø": "o", "ł": "l", "'": None, "-": None})


@frozen(kw_only=True)
class SeededSite:
    """A site of the made-up district."""

    code: str
    """Its short code."""
    name: str
    """Its name."""
    grades: tuple[str, ...] = ()
    """Grades taught there."""
    rooms: tuple[str, ...] = ()
    """Its rooms and carts, by name."""


@frozen(kw_only=True)
class SeededModel:
    """A model that no maker makes."""

    name: str
    """Its name."""
    maker: str
    """Who would make it."""
    category: str
    """What it is."""
    cents: int
    """What one cost."""
    years_old: int
    """How many summers ago it was bought."""
    updates_end: int | None = None
    """In which June from now updates end; 0 for the last one, ``None`` for no such date."""
    extended: int | None = None
    """How many more years the opt-in gives."""


@frozen(kw_only=True)
class SeededPerson:
    """Somebody who does not exist."""

    local_id: str
    """Student or staff number; leading zeros count."""
    role: str
    """``student``, ``teacher``, ``administrator`` or ``guardian``."""
    given: str
    """Given name."""
    family: str
    """Family name."""
    site: str
    """Code of the site; a guardian has that of the student."""
    grade: str | None = None
    """Grade of a student."""
    homeroom: str | None = None
    """Homeroom of a student."""
    guardians: tuple[str, ...] = ()
    """Numbers of the guardians."""
    left: bool = False
    """Whether they left during the term."""

    @property
    def email(self) -> str | None:
        """Address in the district's domain; guardians have none there."""
        if self.role == "guardian":
            return None
        plain = f"{self.given[0]}{self.family}".casefold().translate(_ASCII)
        return f"{plain}{self.local_id[-3:]}@maplevalley.example"


@frozen(kw_only=True)
class SeededDevice:
    """A device as it truly is; what inventory and vendor say of it may differ."""

    serial: str
    """Its serial."""
    tag: str | None
    """Its tag; ``None`` for one that nobody labelled."""
    model: SeededModel
    """Its model."""
    site: str
    """Code of the site where it is."""
    room: str | None
    """Room or cart."""
    condition: str = "good"
    """What shape it is in."""
    acquired_on: date
    """When it was bought."""
    vendor_id: str | None = None
    """Google's id of it; ``None`` when Google does not know it."""
    vendor_status: str = "ACTIVE"
    """Google's word for its state."""
    vendor_site: str | None = None
    """The site that its org unit stands for, when Google holds another one."""
    typed_serial: str | None = None
    """The serial in the inventory, when it was typed wrong."""
    vendor_tag: str | None = None
    """The tag at Google, when it is another one."""
    inventoried: bool = True
    """Whether the inventory lists it."""
    status: str = "In stock"
    """The inventory's word for where it stands."""
    assigned_to: str | None = None
    """Number of the person whom the inventory names."""
    holder: str | None = None
    """Number of the person to whom it was handed out."""


@frozen(kw_only=True)
class HandOut:
    """Something that the technicians of the district did."""

    tag: str
    """The device."""
    to: str
    """The person's number."""
    on: date
    """The day."""
    due: date | None = None
    """When a loan is to come back; ``None`` for an assignment."""


@frozen(kw_only=True)
class SeededDistrict:
    """All of it."""

    seed: int
    """The number that it grew from."""
    day: date
    """The day on which it lives."""
    id: str
    """Its id."""
    name: str
    """Its name."""
    sites: tuple[SeededSite, ...]
    """Its sites."""
    models: tuple[SeededModel, ...]
    """Its models."""
    people: tuple[SeededPerson, ...] = field(repr=False)
    """Everybody."""
    devices: tuple[SeededDevice, ...] = field(repr=False)
    """Every device, whoever knows of it."""
    hand_outs: tuple[HandOut, ...] = field(repr=False)
    """What was handed out since August, in order of time."""

    @property
    def policy_text(self) -> str:
        """The district's policy as TOML: which org unit stands for which site."""
        lines = [f'"/Students/{s.code}" = "{s.code}"' for s in self.sites if s.grades]
        return "[custody]\nmax_devices = 2\n\n[sites]\n" + "\n".join(lines) + "\n"


def school_year_begins(day: date) -> date:
    """The latest 17 August that is a week or more before a day: what was handed out, was then."""
    year = day.year if (day.month, day.day) >= (8, 24) else day.year - 1
    return date(year, 8, 17)
