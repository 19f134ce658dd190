"""``attention``, ``journal verify``, ``journal seal``, ``policy show`` and ``policy adopt``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import click

from assetflow.cli.devices import DAY
from assetflow.cli.exits import FOUND
from assetflow.cli.shown import note
from assetflow.cli.verb import Face, Group, Verb
from assetflow.errors import FileRefused

if TYPE_CHECKING:
    from assetflow.store.seals import Seal

__all__ = ["attention", "journal", "policy"]

_LONGEST_SEAL = 4096
_LONGEST_POLICY = 1 << 20
"""Most characters of a policy file."""


@click.command(cls=Verb)
@click.option("--on", type=DAY, metavar="DAY", help="As of a day; today when not given.")
@click.option(
    "--kind", multiple=True, metavar="KIND", help="List those of a kind; may be repeated."
)
@click.option("--all", "all_", is_flag=True, help="List those of every kind.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many.")
@click.option(
    "--fail-on", multiple=True, metavar="KIND", help="End with 10 when there is one of a kind."
)
@click.pass_obj
def attention(
    face: Face,
    on: datetime | None,
    kind: tuple[str, ...],
    limit: int | None,
    fail_on: tuple[str, ...],
    *,
    all_: bool,
) -> None:
    """What needs a person today.

    One line for each kind; with --kind or --all each item, with the command for it.
    """
    from assetflow.cli.notices import attention_items, tell_attention  # noqa: PLC0415  # loads the model

    with face.open() as district:
        items = attention_items(district, on=on.date() if on else None, kinds=kind)
    tell_attention(face.out, items[:limit], face.pasted, each=all_ or bool(kind))
    if any(item.kind in fail_on for item in items):
        raise click.exceptions.Exit(FOUND)


@click.group(cls=Group)
def journal() -> None:
    """The record of everything that happened."""


@journal.command("verify")
@click.option("--since", type=click.IntRange(min=0), metavar="SEQ", help="Begin after this event.")
@click.option(
    "--seal", "file", type=click.File(encoding="utf-8"), help="Begin after the event of a seal."
)
@click.pass_obj
def verify(face: Face, since: int | None, file: TextIO | None) -> None:
    """Check the journal's chain, and the tables against it.

    With --seal only what came after the seal is hashed again; the sealed event must be there with
    the hash that the seal says, which it is not in a history that was rewritten.
    """
    from assetflow.cli.notices import journal_row  # noqa: PLC0415  # loads the model

    if since is not None and file is not None:
        msg = "--since and --seal exclude one another."
        raise click.UsageError(msg)
    begin: Seal | int = _seal_in(file) if file is not None else since or 0
    with face.open() as district:
        row = journal_row(district, since=begin, key=_seal_key(face))
    of = "" if row.checked == row.events else f"{row.checked:,} of "
    told = f"Journal verified: {of}{row.events:,} events. Head {row.head}"
    face.out.single("journal.verify", row, lines=[told])


@journal.command("seal")
@click.option(
    "--after", type=click.File(encoding="utf-8"), help="Verify only what came after this seal."
)
@click.pass_obj
def seal(face: Face, after: TextIO | None) -> None:
    """Verify the chain, and print its end to keep elsewhere.

    The key of the setting `seal.key` signs it, when there is one. Keep it where whoever can write
    to the database cannot: that is what proves the journal later, with `journal verify --seal`.
    """
    from assetflow.cli.shapes_database import SealRow  # noqa: PLC0415  # loads the model

    begin: Seal | int = 0 if after is None else _seal_in(after)
    with face.open() as district:
        made = district.journal.seal(key=_seal_key(face), since=begin)
    face.out.single("journal.seal", SealRow.of(made), lines=made.to_text().splitlines())


def _seal_in(file: TextIO) -> Seal:
    from assetflow.store.seals import Seal  # noqa: PLC0415  # loads the model

    try:
        text = file.read(_LONGEST_SEAL)
    except UnicodeDecodeError:
        text = ""
    return Seal.from_text(text)


def _seal_key(face: Face) -> bytes | None:
    key = face.settings.get("seal.key")
    return key.encode() if key else None


@click.group(cls=Group)
def policy() -> None:
    """The district's rules, as its people wrote them."""


@policy.command("show")
@click.option("--comments", is_flag=True, help="Say above each key what it means.")
@click.pass_obj
def show_policy(face: Face, *, comments: bool) -> None:
    """Print the policy that holds."""
    from assetflow.cli.shapes_work import AdoptedRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        held = district.policy.current()
    text = held.to_toml(comments=comments)
    face.out.single(
        "policy.show", AdoptedRow(digest=held.digest, text=text), lines=[text.rstrip("\n")]
    )


@policy.command("adopt")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--dry-run", is_flag=True, help="Check the file; adopt nothing.")
@click.pass_obj
def adopt_policy(face: Face, file: TextIO, *, dry_run: bool) -> None:
    """Make a TOML file the district's policy.

    `-` reads standard input.
    """
    from assetflow.cli.shapes_work import AdoptedRow  # noqa: PLC0415  # loads the model
    from assetflow.model import DistrictPolicy  # noqa: PLC0415  # as above

    text = file.read(_LONGEST_POLICY + 1)
    if len(text) > _LONGEST_POLICY:
        raise FileRefused(
            f"a policy has at most {_LONGEST_POLICY:,} characters",
            hint="Name the policy's own file; a policy is a page or two.",
        )
    held = DistrictPolicy.from_toml(text)
    if not dry_run:
        with face.open() as district:
            held = district.policy.adopt(text)
    told = "The file is a policy; nothing was adopted." if dry_run else "Adopted."
    face.out.single(
        "policy.adopt", AdoptedRow(digest=held.digest, text=held.to_toml()), lines=[told]
    )
    note(f"Digest {held.digest}")
