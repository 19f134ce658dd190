"""``db``: a database's state, upgrades, copies to keep, moving house."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assetflow.cli.shown import note
from assetflow.cli.verb import NO_STORE, Face, Group

if TYPE_CHECKING:
    from assetflow.cli.progress import Step
    from assetflow.cli.shapes_database import BackupRow
    from assetflow.store.copying import CopyProgress

__all__ = ["db"]


@click.group(cls=Group)
def db() -> None:
    """The database: its state, upgrades, backups, moving to another."""


def _store(face: Face) -> str:
    return face.settings.need("store", hint=NO_STORE)


@db.command("status")
@click.pass_obj
def status(face: Face) -> None:
    """What the database holds, and whether this version fits it.

    Nothing is written. Of a database with several districts the end of a journal is shown for the
    one that --district names.
    """
    from assetflow.cli.shapes_database import DatabaseRow  # noqa: PLC0415  # loads the model
    from assetflow.district import database_state  # noqa: PLC0415  # as above

    state = database_state(_store(face), district=face.settings.get("district"))
    face.out.single("db.status", DatabaseRow.of(state))


@db.command("upgrade")
@click.pass_obj
def upgrade(face: Face) -> None:
    """Bring the schema up to date.

    Under a lock, so that several at once do no harm. An SQLite file is copied beside itself first.
    """
    from assetflow.cli.shapes_database import UpgradeRow  # noqa: PLC0415  # loads the model
    from assetflow.district import upgrade_database  # noqa: PLC0415  # as above

    done = upgrade_database(_store(face))
    told = f"From {done.before or 'nothing'} to {done.revision}."
    if done.before == done.revision:
        told = f"Nothing to do: revision {done.revision}."
    face.out.single("db.upgrade", UpgradeRow.of(done), lines=[told])
    if done.copy is not None:
        note(f"The file as it was: {done.copy}")


@db.command("sql")
@click.option(
    "--from", "since", metavar="REVISION", help="The revision that is there, or base; asks nobody."
)
@click.pass_obj
def sql(face: Face, since: str | None) -> None:
    """Print the SQL that an upgrade would run; run nothing.

    `--store postgresql:// --from base` prints all of it for an empty PostgreSQL, without one.
    """
    from assetflow.cli.shapes_database import PendingRow  # noqa: PLC0415  # loads the model
    from assetflow.district import pending_sql  # noqa: PLC0415  # as above

    text = pending_sql(_store(face), since=since)
    face.out.single("db.sql", PendingRow(sql=text), lines=[text.rstrip("\n")] if text else ["--"])
    if not text:
        note("Nothing to do: the schema is that of this version.")


@db.command("views")
@click.option("--personal", is_flag=True, help="Those of personal columns too.")
@click.pass_obj
def views(face: Face, *, personal: bool) -> None:
    """Make the reporting views anew, and list them.

    They are for tools that read SQL. Without --personal, views of personal columns are taken away.
    """
    from assetflow.cli.shapes_database import ViewRow  # noqa: PLC0415  # loads the model
    from assetflow.district import reporting_views  # noqa: PLC0415  # as above

    made = reporting_views(_store(face), personal=personal)
    face.out.listing("db.views", ViewRow, [ViewRow.of(view) for view in made])


@db.command("backup")
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@click.pass_obj
def backup(face: Face, file: str | None) -> None:
    """Copy an SQLite file while it is in use, and prove the copy.

    FILE is where it goes; beside the store, with the time in its name, when not given. For a
    database on a server the command that copies it is printed.
    """
    from assetflow.cli.shapes_database import BackupRow  # noqa: PLC0415  # loads the model
    from assetflow.district import back_up, dump_command  # noqa: PLC0415  # as above

    command = dump_command(_store(face))
    if command is None:
        row = BackupRow.of(back_up(_store(face), file=file))
    else:
        row = BackupRow.of_command(command)
    face.out.single("db.backup", row, lines=_lines(row))


@db.command("restore")
@click.argument("file", type=click.Path(dir_okay=False))
@click.argument("place", metavar="PLACE")
@click.pass_obj
def restore(face: Face, file: str, place: str) -> None:
    """Prove a copy, and put it in a new place.

    PLACE is a file that is not there yet: nothing is overwritten. For a database on a server the
    command that restores there is printed.
    """
    from assetflow.cli.shapes_database import BackupRow  # noqa: PLC0415  # loads the model
    from assetflow.district import restore as put_back  # noqa: PLC0415  # as above
    from assetflow.district import restore_command  # noqa: PLC0415  # as above

    command = restore_command(place)
    row = BackupRow.of(put_back(file, place)) if command is None else BackupRow.of_command(command)
    face.out.single("db.restore", row, lines=_lines(row))


def _lines(row: BackupRow) -> list[str]:
    if row.command is not None:
        return [row.command]
    proved = "" if row.replayed else ", the chain alone: the schema is an older one"
    return [
        str(row.file),
        f"{row.bytes:,} bytes, {row.districts:,} district(s), {row.events:,} events, proved{proved}.",
    ]


@db.command("copy")
@click.argument("source", metavar="SOURCE")
@click.argument("destination", metavar="DESTINATION")
@click.pass_obj
def copy(face: Face, source: str, destination: str) -> None:
    """Copy a district to another database, and prove the copy.

    The district is put into use there at the end. Killed, the next one goes on where it was. Nothing is written to SOURCE. A DESTINATION in which
    the district is in use already is left alone.
    """
    from assetflow.cli.references import resolve  # noqa: PLC0415  # an address may hold a password
    from assetflow.cli.shapes_database import CopyRow  # noqa: PLC0415  # loads the model
    from assetflow.district import copy_district  # noqa: PLC0415  # as above

    with face.steps() as show:
        report = copy_district(
            resolve(source, name="SOURCE", trusted=True),
            resolve(destination, name="DESTINATION", trusted=True),
            district=face.settings.get("district"),
            on_progress=lambda now: show(_step(now)),
        )
    head = report.head
    told = [
        f"{report.district}: {head.seq:,} events, {report.records:,} records, equal on both sides.",
        f"Head {head.hash}",
    ]
    if report.found:
        told[0] = told[0].replace("equal", "there already, and equal")
    face.out.single("db.copy", CopyRow.of(report), lines=told)


def _step(now: CopyProgress) -> Step:
    from assetflow.cli.progress import Step  # noqa: PLC0415  # only for long calls

    of = f" of {now.of:,}" if now.of is not None else ""
    line = f"copy: {now.doing}, {now.done:,}{of}"
    return Step(title=f"copy: {now.doing}", line=line, done=now.done, of=now.of)
