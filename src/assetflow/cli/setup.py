"""Setting up: ``init``, ``config show``, ``completion``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assetflow.cli.config import FILE_NAME, KEYS
from assetflow.cli.shown import note
from assetflow.cli.verb import Face, Group, Verb
from assetflow.errors import ConfigError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["completion", "config", "init"]

_NOT_SHOWN_IN_INIT = "google."


@click.command(cls=Verb)
@click.option("--name", help="The district's name.")
@click.option("--id", "district_id", help="Its id: lower-case letters, digits, hyphens.")
@click.option("--time-zone", help="IANA time zone of its school days, such as America/Denver.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.pass_obj
def init(
    face: Face, name: str | None, district_id: str | None, time_zone: str | None, *, yes: bool
) -> None:
    """Make a district here: its store, and assetflow.toml.

    On a terminal it asks for what the options leave open: three questions.
    """
    import assetflow  # noqa: PLC0415  # the library is loaded when a command needs it
    from assetflow.cli.shapes_work import InitRow  # noqa: PLC0415  # as above

    if Path(FILE_NAME).exists():
        raise ConfigError(f"{FILE_NAME} is here already", hint="Change it with an editor.")
    ask = not yes and sys.stdin.isatty()
    name = name or (click.prompt("Name of the district", err=True) if ask else "My district")
    id_ = district_id or _id_from(name)
    store = face.given.get("store") or _answer("File of its store", f"{id_}.db", ask=ask)
    actor = face.given.get("actor") or _answer("Who acts (empty for your login name)", "", ask=ask)
    with assetflow.open(
        store, district=id_, name=name, time_zone=time_zone, actor=actor or None, create=True
    ):
        write_settings(FILE_NAME, store=store, actor=actor)
    face.out.single("init", InitRow(file=FILE_NAME, store=store, district=id_))
    note("Next: assetflow import devices inventory.csv --dry-run")


def _answer(question: str, default: str, *, ask: bool) -> str:
    if not ask:
        return default
    return str(click.prompt(question, default=default, err=True, show_default=bool(default)))


def _id_from(name: str) -> str:
    """An id made of a name: lower-case letters, digits and hyphens."""
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in name.lower())
    return "-".join(kept.split())[:63].strip("-") or "district"


def write_settings(path: str, *, store: str, actor: str = "") -> None:
    """Write a settings file that says what each setting is."""
    import tomlkit  # noqa: PLC0415  # only to write

    told = tomlkit.document()
    told.add(tomlkit.comment("Settings of assetflow for this folder."))
    told.add(tomlkit.comment("An option or a variable ASSETFLOW_... goes before what stands here;"))
    told.add(tomlkit.comment("`assetflow config show` says which value holds, and why."))
    told.add(tomlkit.nl())
    given = {"store": store, "actor": actor}
    for key in ("store", "district", "actor"):
        _setting(told, key, given.get(key) or None)
    told.add(tomlkit.nl())
    told.add(tomlkit.comment("[google]"))
    for key in (k for k in KEYS if k.startswith(_NOT_SHOWN_IN_INIT)):
        told.add(tomlkit.comment(f"  {KEYS[key].meaning}"))
        told.add(tomlkit.comment(f'{key.removeprefix("google.")} = "{KEYS[key].default or ""}"'))
    with Path(path).open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(tomlkit.dumps(told))


def _setting(told: TOMLDocument, key: str, value: str | None) -> None:
    import tomlkit  # noqa: PLC0415  # only to write

    told.add(tomlkit.comment(KEYS[key].meaning))
    if value is None:
        told.add(tomlkit.comment(f'{key} = ""'))
    else:
        told.add(key, tomlkit.item(value))


@click.group(cls=Group)
def config() -> None:
    """The settings that hold, and why."""


@config.command("show")
@click.pass_obj
def config_show(face: Face) -> None:
    """Every setting: its value, and who says so. Secrets are not shown."""
    from assetflow.cli.shapes_work import SettingRow  # noqa: PLC0415  # loads the model

    rows = [SettingRow(setting=s.name, value=s.shown, source=s.source) for s in face.settings]
    face.out.listing("config.show", SettingRow, rows)


_PLACES = {
    "bash": "echo 'eval \"$(assetflow completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(assetflow completion zsh)\"' >> ~/.zshrc",
    "fish": "assetflow completion fish > ~/.config/fish/completions/assetflow.fish",
    "powershell": "assetflow completion powershell | Out-String | Invoke-Expression   (in $PROFILE)",
}


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(list(_PLACES)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    r"""Print the script for completion in a shell.

    \b
    bash:        eval "$(assetflow completion bash)"
    zsh:         eval "$(assetflow completion zsh)"
    fish:        assetflow completion fish | source
    powershell:  assetflow completion powershell | Out-String | Invoke-Expression
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415  # only here

    found = get_completion_class(shell)
    if found is None:
        msg = f"this version of click knows no completion for {shell}"
        raise ConfigError(msg, hint="Run: pip install --upgrade click")
    root = ctx.find_root()
    script = found(root.command, {}, "assetflow", "_ASSETFLOW_COMPLETE").source()
    click.echo(script)
    if sys.stdout.isatty():
        note(f"To keep it: {_PLACES[shell]}")
