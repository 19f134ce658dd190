"""``devices list`` and ``devices show``."""

from __future__ import annotations

from datetime import datetime

import click

from assetflow.cli.verb import Face, Group

__all__ = ["DAY", "day_of", "devices"]

DAY = click.DateTime(["%Y-%m-%d"])


def day_of(given: datetime | None) -> str | None:
    """A day as it was given, in ISO form."""
    return given.date().isoformat() if given else None


@click.group(cls=Group)
def devices() -> None:
    """The district's devices."""


@devices.command("list")
@click.option("--lifecycle", help="Such as in_stock, deployed, in_repair, lost, retired.")
@click.option("--custody", help="none, assigned or loaned.")
@click.option("--condition", help="new, good, fair, poor, broken or unknown.")
@click.option("--management", help="managed, disabled, deprovisioned, absent, pending or unknown.")
@click.option("--site", metavar="CODE", help="A site's code, name or id.")
@click.option("--model", help="A model's name, in full.")
@click.option("--tag", metavar="PREFIX", help="Tags that begin so.")
@click.option(
    "--updates-end-before", type=DAY, metavar="DAY", help="Auto-update expiration before a day."
)
@click.option(
    "--order-by", metavar="FIELD", default="asset_tag", show_default=True, help="Sort by a field."
)
@click.option("--limit", type=click.IntRange(min=0), help="At most so many.")
@click.pass_obj
def list_devices(
    face: Face,
    /,
    site: str | None,
    tag: str | None,
    updates_end_before: datetime | None,
    order_by: str,
    limit: int | None,
    **equal: str | None,
) -> None:
    """List devices.

    Filters combine. A device that lacks a compared value is left out, and counted.
    """
    from assetflow.cli.cards import tell_devices  # noqa: PLC0415  # loads the model
    from assetflow.cli.filters import device_filters, known_field  # noqa: PLC0415  # as above

    with face.open() as district:
        site_id = district.places.get(site).id if site else None
        before = day_of(updates_end_before)
        wanted = device_filters(equal, site_id=site_id, tag=tag, updates_end_before=before)
        found = district.devices.where(*wanted).order_by(known_field(order_by))
        hidden = found.left_out_unknown() if wanted else 0
        kept = found if limit is None else found.limit(limit)
        tell_devices(face.out, kept, district.places.where(), left_out_unknown=hidden)


@devices.command("show")
@click.argument("device", metavar="DEVICE")
@click.pass_obj
def show_device(face: Face, /, device: str) -> None:
    """Show one device.

    What it is, who has it, what happened to it. DEVICE is a tag, a serial or an id.
    """
    from assetflow.cli.cards import card_lines, device_card  # noqa: PLC0415  # loads the model

    with face.open() as district:
        card = device_card(district, district.devices.get(device))
    face.out.single("devices.show", card, lines=card_lines(card))
