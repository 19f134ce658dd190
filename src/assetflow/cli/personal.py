"""``people``, ``retention``, ``export``: what is held on people, and who is given what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assetflow.cli.devices import DAY
from assetflow.cli.exits import FOUND
from assetflow.cli.shown import note
from assetflow.cli.verb import Face, Group, Verb

if TYPE_CHECKING:
    from assetflow.workflows.personal.sealing import IdentityKeys

__all__ = ["export", "people", "retention"]

_KEYS = click.option(
    "--keys",
    "key_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="The district's identity keys; else ASSETFLOW_IDENTITY_KEYS.",
)
_REASON = click.option("--reason", metavar="CODE", required=True, help="A code for the journal.")
_YES = click.option("--yes", is_flag=True, help="Ask nothing.")


def _keys(path: str | None) -> IdentityKeys | None:
    from assetflow.workflows.personal.sealing import IdentityKeys  # noqa: PLC0415  # only here

    return IdentityKeys.from_env() if path is None else IdentityKeys.from_file(path)


@click.group(cls=Group)
def people() -> None:
    """What is held on a person: handed out, or erased."""


@people.command("export")
@click.argument("person", metavar="PERSON")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@_KEYS
@click.option("--others", is_flag=True, help="Leave other people's addresses as they are.")
@click.pass_obj
def export_person(
    face: Face, /, person: str, file: str, key_file: str | None, *, others: bool
) -> None:
    """Write everything that is held on a person to FILE.

    A name that ends with .zip is an archive with one JSON file for each kind of record; any other
    is one JSON document. PERSON is an id, a number or an address.
    """
    from assetflow.cli.shapes_personal import WrittenRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        held = district.people.export(person, keys=_keys(key_file), others=others)
        if file.endswith(".zip"):
            counts = held.write_zip(file)
        else:
            held.write_json(file)
            counts = held.counts()
    total = sum(counts.values())
    lines = [f"{total:,} records and events: {file}"]
    face.out.single("people.export", WrittenRow(path=file, counts=counts), lines=lines)


@people.command("erase")
@click.argument("person", metavar="PERSON")
@_REASON
@_KEYS
@click.option("--while-holding", is_flag=True, help="Also while they have a device.")
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@_YES
@click.pass_obj
def erase_person(
    face: Face,
    /,
    person: str,
    reason: str,
    key_file: str | None,
    *,
    while_holding: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Remove what names a person; their id stays as a pseudonym.

    This cannot be undone. Look at the plan first: --dry-run. PERSON is an id, a number or an
    address.
    """
    from assetflow.cli.shapes_personal import ErasureCard  # noqa: PLC0415  # loads the model

    if not (dry_run or yes):
        click.confirm("This cannot be undone. Erase the person?", abort=True, err=True)
    keys = _keys(key_file)
    with face.open() as district:
        done = district.people.erase(
            person, reason=reason, keys=keys, while_holding=while_holding, dry_run=dry_run
        )
    face.out.single("people.erase", ErasureCard.of(done), lines=done.explain().splitlines())


@click.group(cls=Group)
def retention() -> None:
    """What is kept until when."""


@retention.command("show")
@click.option("--on", type=DAY, metavar="DAY", help="As of a day; today when not given.")
@click.pass_obj
def show_retention(face: Face, /, on: datetime | None) -> None:
    """List what expires."""
    from assetflow.cli.shapes_personal import ExpiringRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        found = district.retention.expiring(on=on.date() if on else None)
    rows = map(ExpiringRow.of, found)
    face.out.listing("retention.show", ExpiringRow, rows, empty="Nothing expires.")


@retention.command("run")
@click.option("--on", type=DAY, metavar="DAY", help="As of a day; today when not given.")
@click.option("--apply", "apply_", is_flag=True, help="Remove it; without this nothing is written.")
@_KEYS
@_YES
@click.pass_obj
def run_retention(
    face: Face, /, on: datetime | None, key_file: str | None, *, apply_: bool, yes: bool
) -> None:
    """Remove what expires.

    Sealed names, notes, records of pulls, idempotency keys; people who fall due are erased. Without --apply it only says what that is. Somebody who falls due and cannot be erased makes
    the exit code 10.
    """
    from assetflow.cli.shapes_personal import RetentionCard  # noqa: PLC0415  # loads the model

    if apply_ and not yes:
        click.confirm("This cannot be undone. Remove what expires?", abort=True, err=True)
    keys = _keys(key_file)
    with face.open() as district:
        run = district.retention.run(on=on.date() if on else None, keys=keys, dry_run=not apply_)
    card = RetentionCard.of(run)
    told = [f"{e.count:,} {e.kind}, before {e.before} ({e.rule})" for e in card.expired]
    ends = "Removed." if run.done else "Nothing was written; --apply removes it."
    face.out.single("retention.run", card, lines=[*told, ends] if told else ["Nothing expires."])
    for person_id, code in card.not_erased.items():
        note(f"not erased: {person_id} ({code})")
    if card.not_erased:
        raise click.exceptions.Exit(FOUND)


@retention.command("new-key")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@click.pass_obj
def new_key(face: Face, /, file: str) -> None:
    """Make an identity key, and write it to FILE.

    It comes before the keys that are there: the first seals, all open. Keep it away from the database and its backups. Without it the names that it seals cannot be
    read by anybody.
    """
    from assetflow.cli.shapes_personal import WrittenRow  # noqa: PLC0415  # loads the model
    from assetflow.cli.shown import write_private  # noqa: PLC0415  # only here
    from assetflow.workflows.personal.sealing import IdentityKey, IdentityKeys  # noqa: PLC0415

    held = IdentityKeys.from_file(file).keys if Path(file).exists() else ()
    keys = (IdentityKey.new(), *held)
    write_private(file, "".join(f"{k.to_text()}\n" for k in keys).encode())
    row = WrittenRow(path=file, counts={"keys": len(keys)})
    face.out.single("retention.new-key", row, lines=[f"Key {keys[0].id}: {file}"])


@retention.command("rotate")
@_KEYS
@click.pass_obj
def rotate(face: Face, /, key_file: str | None) -> None:
    """Seal every kept name anew with the newest key."""
    from assetflow.cli.shapes_personal import WrittenRow  # noqa: PLC0415  # loads the model
    from assetflow.errors import IdentityKeyNeeded  # noqa: PLC0415  # only here

    keys = _keys(key_file)
    if keys is None:
        raise IdentityKeyNeeded("no identity key was given")
    with face.open() as district:
        count = district.retention.rotate(keys)
    row = WrittenRow(path=keys.newest.id, counts={"names": count})
    face.out.single("retention.rotate", row, lines=[f"{count:,} names sealed anew."])


@click.command(cls=Verb)
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False))
@click.option("--recipient", metavar="CODE", required=True, help="Who is given it.")
@click.option(
    "--form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True, help="How."
)
@click.pass_obj
def export(face: Face, /, folder: str, recipient: str, form: str) -> None:
    """Write records to FOLDER, without anything that names a person.

    Devices, who had them, and counts; pseudonyms are the recipient's own.
    """
    from assetflow.cli.shapes_personal import WrittenRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        counts = district.export(recipient=recipient, deidentified=True).write(folder, form=form)
    lines = [f"{count:,} lines: {folder}/{name}.{form}" for name, count in counts.items()]
    face.out.single("export", WrittenRow(path=folder, counts=counts), lines=lines)
