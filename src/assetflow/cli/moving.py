"""``pull``, ``import``, ``runs``: data from other systems and files, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from assetflow.cli.exits import REJECTED
from assetflow.cli.shown import note
from assetflow.cli.verb import Face, Group

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["import_", "pull", "runs"]

_PERCENT = click.IntRange(0, 100_000)


@click.group(cls=Group)
def pull() -> None:
    """Bring in what another system knows."""


@pull.command("google")
@click.option("--workers", type=click.IntRange(1, 32), help="Listings read at once.")
@click.option("--max-change-percent", type=_PERCENT, help="How much of the known fleet may change.")
@click.option("--max-absent-percent", type=_PERCENT, help="How much of it may be gone.")
@click.option("--max-new-percent", type=_PERCENT, help="How much may be new; 50 unless given.")
@click.pass_obj
def pull_google(face: Face, /, workers: int | None, **limits: Any) -> None:
    """Pull Chromebooks from Google.

    Killed, the next one goes on where it was; run twice, it changes nothing.
    """
    from assetflow.cli.shapes_work import PullRow  # noqa: PLC0415  # loads the model

    given = {name: percent for name, percent in limits.items() if percent is not None}
    count = workers or int(face.settings.get("pull.workers") or 4)
    with face.google() as google, face.open() as district, face.progress() as tell:
        report = district.pull(google, workers=count, on_progress=tell, **given)
    face.out.single("pull", PullRow.of_report(report), lines=[report.summary()])


@click.group("import", cls=Group)
def import_() -> None:
    """Take a file in: devices, people, a roster.

    Devices and people come as CSV, a roster as a OneRoster 1.1 zip.

    `-` reads standard input. Rows that cannot be taken in go to a rejects file, each with its reason; correct it and
    import it again. Some rejected rows make the exit code 6.
    """


def _columns(
    _: click.Context, __: click.Parameter, given: tuple[str, ...]
) -> dict[str, str] | None:
    """``HEADING=FIELD``, any number of times."""
    pairs = [text.rpartition("=") for text in given]
    if any(not heading or not name for heading, _, name in pairs):
        msg = "write HEADING=FIELD, such as --column 'Serial Nr=serial'"
        raise click.BadParameter(msg)
    return {heading: name for heading, _, name in pairs} or None


_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
_DRY = click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
_REJECTS = click.option(
    "--rejects", metavar="FILE", type=click.Path(dir_okay=False), help="Where refused rows go."
)
_COLUMN = click.option(
    "--column",
    "mapping",
    multiple=True,
    metavar="HEADING=FIELD",
    callback=_columns,
    help="What a column is, when its heading does not say.",
)
_ENCODING = click.option("--encoding", metavar="NAME", help="How characters are encoded.")
_DAY_FIRST = click.option(
    "--day-first/--month-first", default=None, help="How dates with slashes begin."
)
_CREATE_SITES = click.option(
    "--create-sites", is_flag=True, help="Add schools that are not known, instead of rejecting."
)


@import_.command("devices")
@_FILE
@_COLUMN
@click.option(
    "--match-on", metavar="FIELDS", help="Fields that find a device: serial,asset_tag unless given."
)
@_ENCODING
@_DAY_FIRST
@_CREATE_SITES
@_REJECTS
@_DRY
@click.pass_obj
def import_devices(
    face: Face,
    /,
    file: str,
    match_on: str | None,
    rejects: str | None,
    *,
    dry_run: bool,
    **reading: Any,
) -> None:
    """Take in an inventory of devices."""
    if match_on:
        reading["match_on"] = tuple(name.strip() for name in match_on.split(","))
    _import(
        face,
        lambda imports, source: imports.plan_devices(source, **reading),
        file,
        rejects,
        dry_run=dry_run,
    )


@import_.command("people")
@_FILE
@_COLUMN
@_ENCODING
@_DAY_FIRST
@_CREATE_SITES
@_REJECTS
@_DRY
@click.pass_obj
def import_people(
    face: Face, /, file: str, rejects: str | None, *, dry_run: bool, **reading: Any
) -> None:
    """Take in a list of people."""
    _import(
        face,
        lambda imports, source: imports.plan_people(source, **reading),
        file,
        rejects,
        dry_run=dry_run,
    )


@import_.command("roster")
@_FILE
@_REJECTS
@_DRY
@click.pass_obj
def import_roster(face: Face, /, file: str, rejects: str | None, *, dry_run: bool) -> None:
    """Take in the organisations and users of a OneRoster 1.1 zip."""
    _import(
        face, lambda imports, source: imports.plan_roster(source), file, rejects, dry_run=dry_run
    )


def _import(
    face: Face,
    /,
    plan_of: Callable[[Any, str | bytes], Any],
    file: str,
    rejects: str | None,
    *,
    dry_run: bool,
) -> None:
    """Plan, write the rejects, apply, tell. Exit code 6 when rows were rejected.

    A dry run writes a rejects file only where it is told to.
    """
    from assetflow.cli.imports import readable, rejects_path, row_of  # noqa: PLC0415  # loads the model

    with face.open() as district:
        plan = plan_of(district.imports, readable(file))
        path = None
        if plan.rejects and (rejects or not dry_run):
            path = rejects or rejects_path(file)
            plan.write_rejects(path)
        report = None if dry_run else district.imports.apply(plan)
    shown = plan if report is None else report
    face.out.single("import", row_of(plan, report, path), lines=[shown.summary()])
    if plan.rejects:
        where = f", each with its reason: {path}" if path else "; --rejects FILE keeps them"
        note(f"{len(plan.rejects):,} rejected rows{where}")
        raise click.exceptions.Exit(REJECTED)


@click.group(cls=Group)
def runs() -> None:
    """What each pull did."""


@runs.command("list")
@click.option("--source", help="Of one source, such as google.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="At most so many."
)
@click.pass_obj
def list_runs(face: Face, /, source: str | None, limit: int) -> None:
    """List pulls, the newest first."""
    from assetflow.cli.shapes_work import RunRow  # noqa: PLC0415  # loads the model

    columns = (
        "id",
        "source",
        "status",
        "started_at",
        "seen",
        "created",
        "linked",
        "changed",
        "absent",
    )
    with face.open() as district:
        rows = (RunRow.of(run) for run in district.runs.list(source=source).limit(limit))
        face.out.listing("runs.list", RunRow, rows, columns=columns, empty="No pull yet.")


@runs.command("show")
@click.argument("run", metavar="RUN")
@click.option("--outcome", help="Such as created, linked, changed, disagrees, ambiguous, refused.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=1000, show_default=True, help="At most so many."
)
@click.pass_obj
def show_run(face: Face, /, run: str, outcome: str | None, limit: int) -> None:
    """Show what a pull did with each record.

    RUN is an id, or `latest`. A record that was seen and found unchanged is not listed.
    """
    from assetflow.cli.imports import run_id, word_of  # noqa: PLC0415  # loads the model
    from assetflow.cli.shapes_work import RunItemRow, RunRow  # noqa: PLC0415  # as above

    with face.open() as district:
        told = district.runs.get(run_id(district, run))
        items = district.runs.items(told.id, outcome=word_of(outcome)).limit(limit)
        rows = (RunItemRow.of(item) for item in items)
        face.out.listing("runs.show", RunItemRow, rows, empty="No item.", run=RunRow.of(told))
