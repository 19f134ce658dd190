"""``doctor``: what is in the way, each line with what mends it."""

from __future__ import annotations

import click

from assetflow.cli.exits import CONFIG
from assetflow.cli.verb import Face, Verb

__all__ = ["doctor"]


@click.command(cls=Verb)
@click.option("--offline", is_flag=True, help="Ask no other system.")
@click.pass_obj
def doctor(face: Face, *, offline: bool) -> None:
    """Find what is in the way, and what mends it.

    Looks at Python, extras, TLS, the clock, settings, the store and the sources. Ends with 3 when something must be mended.
    """
    from assetflow.cli.checks import all_checks, check_lines  # noqa: PLC0415  # loads the library
    from assetflow.cli.shapes_work import CheckRow  # noqa: PLC0415  # as above

    rows = list(all_checks(face, offline=offline))
    if face.out.for_people:
        face.out.text(check_lines(rows))
    else:
        face.out.listing("doctor", CheckRow, rows)
    if any(not row.ok for row in rows):
        raise click.exceptions.Exit(CONFIG)
