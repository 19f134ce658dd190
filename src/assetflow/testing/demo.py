"""The demo: a made-up district in a folder, run through a term, on real files and over HTTP.

It is what ``assetflow demo`` does, for scripts, tests and documentation:

>>> from assetflow.testing.demo import make_demo
>>> report = make_demo("assetflow-demo")  # doctest: +SKIP
>>> report.devices  # doctest: +SKIP
1200

Everything is done by the calls that a district's own script makes. Done again in the same
folder it changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from assetflow.connectors import GoogleAdmin
from assetflow.district import open_district
from assetflow.errors import FileError, FileRefused, InvalidValue
from assetflow.testing.google import FakeGoogle, Fleet
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import (
    google_devices,
    google_org_units,
    google_users,
    inventory_csv,
    roster_zip,
)

if TYPE_CHECKING:
    from assetflow.district import District
    from assetflow.exchange.imports import ImportReport
    from assetflow.exchange.report import OnProgress, PullReport
    from assetflow.testing.seed_values import SeededDistrict
    from assetflow.workflows.attention import AttentionItem

__all__ = ["DEMO_FILES", "DemoReport", "clean_demo", "make_demo"]

STORE = "maple-valley.db"
_MARK = "demo.json"
_TERM_BEGINS = "roster-august.zip"

DEMO_FILES = (
    "assetflow.toml",
    "first_script.py",
    "inventory.csv",
    "policy.toml",
    "rejected.csv",
    "roster.zip",
    _TERM_BEGINS,
    STORE,
    f"{STORE}-shm",
    f"{STORE}-wal",
    _MARK,
)
"""What a demo makes in its folder, and what cleaning it removes."""

OnStep = Callable[[str], None]


@frozen(kw_only=True)
class DemoReport:
    """What a demo did."""

    district: str
    """The district's name."""
    seed: int
    """The number that it grew from."""
    day: date
    """The day on which it lives."""
    folder: str
    """Its folder."""
    again: bool
    """Whether it was there already."""
    opening: ImportReport | None
    """What came of August's roster, when the term was opened now."""
    roster: ImportReport
    """What came of today's roster."""
    inventory: ImportReport
    """What came of the inventory."""
    pull: PullReport
    """What came of the pull from the fake Google."""
    address: str
    """Where the fake Google listened."""
    handed_out: int
    """Devices that were handed out now."""
    held: int
    """Devices that are out."""
    devices: int
    """Devices in all."""
    people: int
    """People in all."""
    attention: tuple[AttentionItem, ...]
    """What needs a person."""
    events: int
    """Events in the journal, each link of whose chain holds."""
    head: str
    """Hash of the newest one."""

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        imports = (self.roster, self.inventory)
        run = self.pull.run
        moved = run.created + run.linked + run.changed + run.absent
        return bool(
            self.handed_out or moved or any(i.created or i.changed for i in imports if not i.again)
        )


def make_demo(
    folder: str | os.PathLike[str],
    *,
    on: date | None = None,
    seed: int = 7,
    on_step: OnStep = lambda _: None,
    on_progress: OnProgress | None = None,
) -> DemoReport:
    """Make a made-up district in a folder; in the folder of an earlier demo, do it again.

    Args:
        folder: Where; it is made when it is not there.
        on: The day that counts as today. A new district lives on it; an earlier demo's keeps the
            day on which it was made.
        seed: Which district.
        on_step: Told in a word what comes next.
        on_progress: Told how far the pull is.

    Raises:
        FileRefused: the folder holds something else.
        FileError: it cannot be written to.
        InvalidValue: a day in the future.
    """
    today = datetime.now(UTC).astimezone().date()
    on = on or today
    if on > today:
        raise InvalidValue("the day lies in the future", hint="Leave it out, or name one before.")
    place = Path(folder)
    mark = _begin(place, on, seed)
    made = seed_district(mark["seed"], day=date.fromisoformat(mark["day"]))
    on_step("files")
    _write_files(place, made)
    on_step("store")
    with open_district(
        place / STORE,
        district=made.id,
        name=made.name,
        actor="demo@maplevalley.example",
        create=True,
    ) as district:
        district.policy.adopt(made.policy_text)
        handed_out, opening = 0, None
        if not mark["opened"]:
            on_step("people")
            opening = _roster(district, place / _TERM_BEGINS)
        on_step("inventory")
        inventory = _inventory(district, place)
        on_step("hand-out")
        before = district.custody.where_open().count()
        if not mark["opened"]:
            _hand_out(district, made)
            handed_out = district.custody.where_open().count() - before
            _remember(place, mark | {"opened": True})
        on_step("roster")
        roster = _roster(district, place / "roster.zip")
        on_step("Google")
        with (
            FakeGoogle(fleet=_fleet(made)) as fake,
            GoogleAdmin.from_env({"ASSETFLOW_GOOGLE_BASE_URL": fake.url}) as google,
        ):
            pull = district.pull(google, on_progress=on_progress)
            address = fake.url
        on_step("journal")
        verified = district.journal.verify()
        return DemoReport(
            district=made.name,
            seed=made.seed,
            day=made.day,
            folder=str(place),
            again=bool(mark["opened"]),
            opening=opening,
            roster=roster,
            inventory=inventory,
            pull=pull,
            address=address,
            handed_out=handed_out,
            held=district.custody.where_open().count(),
            devices=district.devices.where().count(),
            people=district.people.where().count(),
            attention=tuple(district.attention(on=on)),
            events=verified.journal.head.seq,
            head=verified.journal.head.hash,
        )


def clean_demo(folder: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """Remove what a demo made, and nothing else.

    Returns:
        What was removed, and what is in the folder still. The folder goes when it is empty.

    Raises:
        FileRefused: no demo made that folder.
    """
    place = Path(folder)
    if not place.exists():
        return [], []
    if not (place / _MARK).is_file():
        raise FileRefused("no demo made this folder", hint="Remove it by hand, if that is meant.")
    removed = []
    for name in DEMO_FILES:
        with suppress(FileNotFoundError):
            (place / name).unlink()
            removed.append(name)
    left = sorted(p.name for p in place.iterdir())
    if not left:
        place.rmdir()
    return removed, left


# --- the folder --------------------------------------------------------------------------------


def _begin(place: Path, day: date, seed: int) -> dict[str, Any]:
    """Take up an earlier demo, or begin one."""
    mark = place / _MARK
    try:
        if mark.is_file():
            known: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
            return known
        if place.exists() and any(place.iterdir()):
            raise FileRefused(
                "the folder holds something that no demo made",
                hint="Go to another folder, or name one: assetflow demo --folder NAME",
            )
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(error) from None
    begun = {"made_by": "assetflow demo", "seed": seed, "day": day.isoformat(), "opened": False}
    _remember(place, begun)
    return begun


def _remember(place: Path, mark: Mapping[str, Any]) -> None:
    _write(place / _MARK, json.dumps(mark, indent=2).encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    try:
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> FileError:
    return FileError(
        f"the demo's folder cannot be written to: {error.strerror}",
        hint="Go to a folder of yours, such as your home folder.",
    )


def _write_files(place: Path, made: SeededDistrict) -> None:
    script = files("assetflow.testing").joinpath("first_script.txt").read_bytes()
    _write(place / "first_script.py", script)
    _write(place / "inventory.csv", inventory_csv(made))
    _write(place / "roster.zip", roster_zip(made))
    _write(place / _TERM_BEGINS, roster_zip(made, leavers=False))
    _write(place / "policy.toml", made.policy_text.encode())
    settings = place / "assetflow.toml"
    if not settings.exists():
        _write(settings, _SETTINGS.encode())


_SETTINGS = f"""\
# Settings of the demo; `--profile demo` in the folder above means this file.

# Path of an SQLite file, or the address of a database.
store = "{STORE}"

# Who acts, for the journal; else your login name.
actor = "demo@maplevalley.example"
"""


# --- the term ----------------------------------------------------------------------------------


def _roster(district: District, path: Path) -> ImportReport:
    return district.imports.apply(district.imports.plan_roster(path))


def _inventory(district: District, place: Path) -> ImportReport:
    plan = district.imports.plan_devices(place / "inventory.csv")
    plan.write_rejects(place / "rejected.csv")
    return district.imports.apply(plan)


def _hand_out(district: District, made: SeededDistrict) -> None:
    """What the technicians did since August; under its key each is done once."""
    for act in made.hand_outs:
        district.custody.check_out(
            act.tag,
            to=act.to,
            kind="loan" if act.due else "assignment",
            due=act.due,
            reason="hand-out",
            effective_at=datetime.combine(act.on, time(15), UTC),
            key=f"demo-{act.on}-{act.tag}",
        )


def _fleet(made: SeededDistrict) -> Fleet:
    return Fleet.of(
        devices=google_devices(made),
        org_units=google_org_units(made),
        users=google_users(made),
        domain="maplevalley.example",
    )
