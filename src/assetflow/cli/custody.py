"""``check-out``, ``check-in``, ``transfer``, and ``explain``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from assetflow.cli.devices import DAY, day_of
from assetflow.cli.verb import Face, Group, Verb

__all__ = ["check_in", "check_out", "explain", "transfer"]

_KIND = click.Choice(["assignment", "loan"])
_DEVICE = click.argument("device", metavar="DEVICE")
_TO = click.option(
    "--to",
    required=True,
    metavar="WHO",
    help="A student or staff number, a school address, or a place's code, such as a cart's.",
)
_DUE = click.option(
    "--due", type=DAY, metavar="DAY", help="When it is to come back; makes it a loan."
)
_WHY = click.option("--reason", metavar="CODE", help="Why, as a code for the journal.")
_NOTE = click.option("--note", metavar="TEXT", help="Free words; erasable, never in the journal.")
_OVERRIDE = click.option(
    "--override", multiple=True, metavar="RULE", help="A rule to override; needs --reason."
)
_KEY = click.option("--key", metavar="KEY", help="The same key again is the same act, once.")
_DRY = click.option("--dry-run", is_flag=True, help="Do everything, then leave no trace.")


def _terms(due: datetime | None, kind: str | None) -> dict[str, Any]:
    """The terms of a custody: a due date alone makes it a loan."""
    return {"due": day_of(due), "kind": kind or ("loan" if due else None)}


@click.command("check-out", cls=Verb)
@_DEVICE
@_TO
@_DUE
@click.option("--kind", type=_KIND, help="An assignment when not given and nothing is due.")
@_WHY
@_NOTE
@_OVERRIDE
@_KEY
@_DRY
@click.pass_obj
def check_out(
    face: Face,
    /,
    device: str,
    due: datetime | None,
    kind: str | None,
    *,
    dry_run: bool,
    **asked: Any,
) -> None:
    """Hand a device out. DEVICE is a tag, a serial or an id."""
    from assetflow.cli.cards import tell_custody  # noqa: PLC0415  # loads the model

    with face.open() as district:
        done = district.custody.check_out(device, dry_run=dry_run, **_terms(due, kind), **asked)
        tell_custody(face.out, "check-out", district, done, dry_run=dry_run)


@click.command("check-in", cls=Verb)
@_DEVICE
@click.option("--condition", metavar="WORD", help="new, good, fair, poor or broken; kept else.")
@click.option("--expected-from", metavar="WHO", help="Who should have it; else it is refused.")
@_WHY
@_NOTE
@_KEY
@_DRY
@click.pass_obj
def check_in(face: Face, /, device: str, *, dry_run: bool, **asked: Any) -> None:
    """Take a device back. DEVICE is a tag, a serial or an id."""
    from assetflow.cli.cards import tell_custody  # noqa: PLC0415  # loads the model

    with face.open() as district:
        done = district.custody.check_in(device, dry_run=dry_run, **asked)
        tell_custody(face.out, "check-in", district, done, dry_run=dry_run)


@click.command(cls=Verb)
@_DEVICE
@_TO
@_DUE
@click.option("--kind", type=_KIND, help="As it was when not given.")
@click.option("--expected-from", metavar="WHO", help="Who should have it; else it is refused.")
@_WHY
@_NOTE
@_OVERRIDE
@_KEY
@_DRY
@click.pass_obj
def transfer(
    face: Face,
    /,
    device: str,
    due: datetime | None,
    kind: str | None,
    *,
    dry_run: bool,
    **asked: Any,
) -> None:
    """Hand a device on from one person to another.

    It does not come back between. DEVICE is a tag, a serial or an id.
    """
    from assetflow.cli.cards import tell_custody  # noqa: PLC0415  # loads the model

    with face.open() as district:
        done = district.custody.transfer(device, dry_run=dry_run, **_terms(due, kind), **asked)
        tell_custody(face.out, "transfer", district, done, dry_run=dry_run)


@click.group(cls=Group)
def explain() -> None:
    """Why something is refused, what an error means."""


@explain.command("check-out")
@_DEVICE
@_TO
@_DUE
@click.option("--kind", type=_KIND, help="An assignment when not given and nothing is due.")
@click.option("--override", multiple=True, metavar="RULE", help="A rule to override.")
@click.pass_obj
def explain_check_out(
    face: Face,
    /,
    device: str,
    to: str,
    due: datetime | None,
    kind: str | None,
    override: tuple[str, ...],
) -> None:
    """Every rule of a check-out, and what it found.

    Nothing is written.
    """
    from assetflow.cli.shapes import ExplanationCard  # noqa: PLC0415  # loads the model

    with face.open() as district:
        told = district.custody.explain_check_out(
            device, to=to, override=override, **_terms(due, kind)
        )
    face.out.single("explain.check-out", ExplanationCard.of(told), lines=[told.text()])


@explain.command("error")
@click.argument("code")
@click.pass_obj
def explain_error(face: Face, /, code: str) -> None:
    """What an error code means, and what to do.

    The code stands below an error.
    """
    from assetflow.cli.cards import error_card  # noqa: PLC0415  # only here

    face.out.single("explain.error", error_card(code))
