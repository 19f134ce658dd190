"""All commands."""

from __future__ import annotations

import click

from assetflow.cli.custody import check_in, check_out, explain, transfer
from assetflow.cli.database import db
from assetflow.cli.demo import demo
from assetflow.cli.devices import devices
from assetflow.cli.doctor import doctor
from assetflow.cli.keeping import attention, journal, policy
from assetflow.cli.moving import import_, pull, runs
from assetflow.cli.personal import export, people, retention
from assetflow.cli.setup import completion, config, init
from assetflow.cli.verb import Root
from assetflow.cli.webhooks import webhooks

__all__ = ["app"]


def _version(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    if given and not ctx.resilient_parsing:
        import assetflow  # noqa: PLC0415  # reads the installed version

        click.echo(f"assetflow {assetflow.__version__}")
        ctx.exit()


@click.group(
    cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print it.",
)
def app() -> None:
    """A school district's devices: who has them, what other systems say, what needs attention.

    New here? `assetflow demo` makes a made-up district to look around in: no account, no network.

    Standard output holds data only. Add --json to any command for one JSON document.
    """


for _command in (
    demo,
    init,
    doctor,
    attention,
    devices,
    check_out,
    check_in,
    transfer,
    explain,
    pull,
    import_,
    runs,
    webhooks,
    people,
    retention,
    export,
    journal,
    policy,
    db,
    config,
    completion,
):
    app.add_command(_command)
