"""``webhooks``: other systems that are told what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from assetflow.cli.exits import CONFIG, LATER
from assetflow.cli.shown import note
from assetflow.cli.verb import Face, Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.wire import TargetRules

__all__ = ["webhooks"]


@click.group(cls=Group)
def webhooks() -> None:
    """Other systems that are told what happens.

    Each is told at least once, signed, and in order for each device or person. `deliver` sends
    what is due and comes back: let a scheduler call it every minute.
    """


_WEBHOOK = click.argument("webhook", metavar="WEBHOOK")
_ALLOW = click.option(
    "--allow",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Call also addresses of a network that is not public, such as 10.20.0.0/16.",
)
_PLAIN = click.option("--allow-http", is_flag=True, help="Call also plain http.")


def _rules(networks: tuple[str, ...], *, allow_http: bool) -> TargetRules:
    from assetflow.wire import TargetRules  # noqa: PLC0415  # only where calls are made

    return TargetRules(networks=networks, plain_http=allow_http)


def _secrets() -> Callable[[str], str]:
    """Secrets by reference, as in the settings; a command is not run, as a record names it."""
    from assetflow.cli.references import resolve  # noqa: PLC0415  # only where calls are made

    return lambda name: resolve(name, name="a signing secret", trusted=False)


@webhooks.command("add")
@click.argument("name", metavar="NAME")
@click.argument("url", metavar="URL")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    required=True,
    metavar="PLACE",
    help="Where the signing secret is kept, such as '${PORTAL_SECRET}' or FILE:/run/secrets/x; "
    "twice while one is replaced, the newest first.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="EVENT",
    help="Such as device.checked_out or device.*; may be repeated.",
)
@click.option(
    "--site", "sites", multiple=True, metavar="PLACE", help="Only what is there or within."
)
@click.option("--field", "fields", multiple=True, metavar="FIELD", help="Only changes of it.")
@click.option("--batch-size", type=int, default=100, show_default=True, help="Most events a call.")
@click.option(
    "--since", type=click.IntRange(min=0), metavar="SEQ", help="Also what came after this event."
)
@_ALLOW
@_PLAIN
@click.pass_obj
def add(
    face: Face, /, name: str, url: str, networks: tuple[str, ...], *, allow_http: bool, **what: Any
) -> None:
    """Tell another system from now on.

    The record holds where the secret is kept, never the secret.
    """
    from assetflow.cli.shapes_webhooks import WebhookRow  # noqa: PLC0415  # loads the model

    rules = _rules(networks, allow_http=allow_http)
    with face.open() as district:
        made = district.webhooks.add(name, url=url, rules=rules, **what)
        row = WebhookRow.of(district, made)
    face.out.single("webhooks.add", row, lines=[f"{made.name} is told from now on."])


@webhooks.command("list")
@click.pass_obj
def list_(face: Face) -> None:
    """List them, and how far each has come."""
    from assetflow.cli.shapes_webhooks import WebhookRow  # noqa: PLC0415  # loads the model

    columns = ("name", "origin", "status", "types", "delivered", "waiting", "behind", "dead")
    with face.open() as district:
        rows = (WebhookRow.of(district, w) for w in list(district.webhooks.list()))
        face.out.listing("webhooks.list", WebhookRow, rows, columns=columns, empty="No webhook.")


@webhooks.command("test")
@_WEBHOOK
@_ALLOW
@_PLAIN
@click.pass_obj
def test(face: Face, /, webhook: str, networks: tuple[str, ...], *, allow_http: bool) -> None:
    """Send a test event once, and say what came of it."""
    from assetflow.cli.shapes_webhooks import AnswerRow  # noqa: PLC0415  # loads the model

    rules = _rules(networks, allow_http=allow_http)
    with face.open() as district:
        answer = district.webhooks.test(webhook, secrets=_secrets(), rules=rules)
    row = AnswerRow.of(webhook, answer)
    told = f"status {row.status}" if row.status is not None else str(row.error)
    face.out.single(
        "webhooks.test", row, lines=[f"{'Arrived' if row.arrived else 'Did not arrive'}: {told}"]
    )
    if not row.arrived:
        raise click.exceptions.Exit(LATER)


@webhooks.command("deliver")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=0.0, help="Go on for so long, not once."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="At once."
)
@_ALLOW
@_PLAIN
@click.pass_obj
def deliver(
    face: Face,
    /,
    seconds: float,
    workers: int,
    networks: tuple[str, ...],
    *,
    allow_http: bool,
) -> None:
    """Send what is due.

    Ends with 5 when something was not taken and is sent again later, with 3 when a secret cannot
    be had.
    """
    from assetflow.cli.shapes_webhooks import DeliverRow  # noqa: PLC0415  # loads the model

    rules = _rules(networks, allow_http=allow_http)
    with face.open() as district:
        report = district.webhooks.deliver(
            seconds=seconds, workers=workers, secrets=_secrets(), rules=rules
        )
    face.out.single("webhooks.deliver", DeliverRow.of(report), lines=[report.summary()])
    if report.problems:
        raise click.exceptions.Exit(CONFIG)
    if report.failed:
        raise click.exceptions.Exit(LATER)


@webhooks.command("dead")
@click.option("--webhook", metavar="WEBHOOK", help="Of one webhook.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=1000, show_default=True, help="At most so many."
)
@click.pass_obj
def dead(face: Face, /, webhook: str | None, limit: int) -> None:
    """List what was given up after the last attempt."""
    from assetflow.cli.shapes_webhooks import DeadRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        names = {w.id: w.name for w in district.webhooks.list()}
        found = district.webhooks.dead(webhook=webhook).limit(limit)
        rows = (DeadRow.of(one, names) for one in found)
        face.out.listing("webhooks.dead", DeadRow, rows, empty="Nothing was given up.")


@webhooks.command("replay")
@_WEBHOOK
@click.option("--delivery", metavar="ID", help="Only this one.")
@click.pass_obj
def replay(face: Face, /, webhook: str, delivery: str | None) -> None:
    """Send again what was given up, with the next `deliver`."""
    from assetflow.cli.shapes_webhooks import ReplayRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        count = district.webhooks.replay(webhook, delivery=delivery)
    row = ReplayRow(webhook=webhook, deliveries=count)
    face.out.single("webhooks.replay", row, lines=[f"{count:,} to send again."])
    if count:
        note(face.pasted("assetflow webhooks deliver"))


@webhooks.command("disable")
@_WEBHOOK
@click.option("--because", default="asked", show_default=True, help="A code for the list.")
@click.pass_obj
def disable(face: Face, /, webhook: str, because: str) -> None:
    """Tell a webhook nothing until it is enabled again."""
    from assetflow.cli.shapes_webhooks import WebhookRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        held = district.webhooks.disable(webhook, because=because)
        row = WebhookRow.of(district, held)
    face.out.single("webhooks.disable", row, lines=[f"{held.name} is told nothing for now."])


@webhooks.command("enable")
@_WEBHOOK
@click.pass_obj
def enable(face: Face, /, webhook: str) -> None:
    """Tell a webhook again, beginning with what happened meanwhile."""
    from assetflow.cli.shapes_webhooks import WebhookRow  # noqa: PLC0415  # loads the model

    with face.open() as district:
        held = district.webhooks.enable(webhook)
        row = WebhookRow.of(district, held)
    face.out.single("webhooks.enable", row, lines=[f"{held.name} is told again."])
