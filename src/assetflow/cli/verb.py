"""What every command shares: its options, its settings, its district, and how it ends."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click
from attrs import define, field

from assetflow.cli import exits
from assetflow.cli.config import Settings, load_settings
from assetflow.cli.shown import Form, Output, note
from assetflow.errors import AssetflowError

if TYPE_CHECKING:
    from assetflow.cli.progress import Step
    from assetflow.connectors import GoogleAdmin
    from assetflow.district import District
    from assetflow.exchange.report import OnProgress

__all__ = ["NO_STORE", "Face", "Group", "Root", "Verb"]

NO_STORE = "Name one with --store FILE, or make one: assetflow init. To look around: assetflow demo"
"""What to do when no store is set."""


@define
class Face:
    """What a command was asked, apart from its own options."""

    given: dict[str, str | None] = field(factory=dict)
    """Settings that were given as options."""
    form: Form = Form.PEOPLE
    """How output is written."""
    raw: bool = False
    """Whether CSV stays as it is."""
    file: str | None = None
    """A file for the output."""
    profile: str | None = None
    """A profile of the settings."""
    config: str | None = None
    """A settings file."""
    verbosity: int = 0
    """How much is logged."""
    log_json: bool = False
    """Whether logs and errors are JSON."""
    _settings: Settings | None = field(default=None, init=False)

    @property
    def settings(self) -> Settings:
        """The settings that hold.

        Raises:
            ConfigError: a settings file is wrong.
        """
        if self._settings is None:
            self._settings = load_settings(
                self.given, environ=os.environ, profile=self.profile, file=self.config
            )
        return self._settings

    @property
    def out(self) -> Output:
        """Where data goes."""
        return Output(self.form, raw=self.raw, file=self.file)

    def pasted(self, command: str) -> str:
        """A command as it works when it is pasted here: this program, these settings."""
        from assetflow.cli.program import program  # noqa: PLC0415  # only to print commands

        said = {"profile": self.profile, "config": self.config} | self.given
        ends = "".join(f" --{n} {shlex.quote(v)}" for n, v in said.items() if v)
        return program() + command.removeprefix("assetflow") + ends

    def open(self, *, lock_timeout: float = 30.0) -> District:
        """The district that the settings name.

        Args:
            lock_timeout: Seconds for which to wait for another writer.

        Raises:
            AssetflowError: none is named, or it cannot be opened.
        """
        import assetflow  # noqa: PLC0415  # the library is loaded when a command needs it

        settings = self.settings
        return assetflow.open(
            settings.need("store", hint=NO_STORE),
            district=settings.get("district"),
            actor=settings.get("actor"),
            lock_timeout=lock_timeout,
        )

    def google(self) -> GoogleAdmin:
        """The connector to Google that the settings describe.

        Raises:
            AssetflowError: they do not suffice.
        """
        from assetflow.cli.google import connect  # noqa: PLC0415  # only to pull

        return connect(self.settings)

    @contextmanager
    def progress(self) -> Iterator[OnProgress]:
        """What to give a long call as ``on_progress``."""
        from assetflow.cli.progress import progress  # noqa: PLC0415  # only for long calls

        with progress() as tell:
            yield tell

    @contextmanager
    def steps(self) -> Iterator[Callable[[Step], None]]:
        """Shows the steps of any other long call."""
        from assetflow.cli.progress import steps  # noqa: PLC0415  # only for long calls

        with steps() as show:
            yield show

    def log(self) -> None:
        """Let the library's log out to standard error, as far as ``-v`` says."""
        if not self.verbosity:
            return
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            exits.JsonLines()
            if self.log_json
            else logging.Formatter("%(levelname)s %(name)s: %(message)s")
        )
        logger = logging.getLogger("assetflow")
        logger.handlers[:] = [handler]
        logger.setLevel(logging.DEBUG if self.verbosity > 1 else logging.INFO)
        logger.propagate = False


def _keep(name: str, value: Any = None) -> Any:
    """A callback that notes an option on the face; *value* instead of what was given, when set."""

    def note_it(ctx: click.Context, _: click.Parameter, given: Any) -> Any:
        face = ctx.ensure_object(Face)
        if given:
            setattr(face, name, given if value is None else value)
        return given

    return note_it


def _set(name: str) -> Any:
    """A callback that notes a setting."""

    def note_it(ctx: click.Context, _: click.Parameter, given: str | None) -> str | None:
        if given is not None:
            ctx.ensure_object(Face).given[name] = given
        return given

    return note_it


def _form(ctx: click.Context, param: click.Parameter, given: bool) -> bool:
    if given:
        face, form = ctx.ensure_object(Face), Form(param.name)
        if ctx.meta.setdefault("assetflow.form", form) is not form:
            msg = "--json, --ndjson, --csv and --tsv exclude one another."
            raise click.UsageError(msg, ctx)
        face.form = form
    return given


def _option(*names: str, **kwargs: Any) -> click.Option:
    return click.Option(names, expose_value=False, **kwargs)


def shared_options() -> list[click.Option]:
    """The options that every command has."""
    flag = {"is_flag": True, "callback": _form}
    return [
        _option("--json", help="Write one JSON document.", **flag),
        _option("--ndjson", help="Write one JSON object a line.", **flag),
        _option("--csv", help="Write CSV, safe for spreadsheets.", **flag),
        _option("--tsv", help="Write TSV, safe for spreadsheets.", **flag),
        _option(
            "--raw",
            is_flag=True,
            callback=_keep("raw"),
            help="Leave CSV and TSV as they are: no byte order mark, no escaped formulas.",
        ),
        _option(
            "-o",
            "--output",
            metavar="FILE",
            type=click.Path(dir_okay=False),
            callback=_keep("file"),
            help="Write data to a file.",
        ),
        _option(
            "--store",
            metavar="FILE|URL",
            callback=_set("store"),
            help="The district's store.",
        ),
        _option("--district", metavar="ID", callback=_set("district"), help="The district."),
        _option("--actor", metavar="WHO", callback=_set("actor"), help="Who acts."),
        _option(
            "--profile",
            metavar="NAME",
            callback=_keep("profile"),
            help="A profile of the settings.",
        ),
        _option(
            "--config",
            metavar="FILE",
            callback=_keep("config"),
            help="Instead of ./assetflow.toml.",
        ),
        _option(
            "-v", "--verbose", count=True, callback=_keep("verbosity"), help="Log; -vv logs more."
        ),
        _option(
            "--log-json", is_flag=True, callback=_keep("log_json"), help="Log and err in JSON."
        ),
    ]


class _Shared(click.Command):
    """A command whose shared options stand apart in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shared: list[click.Option] = shared_options()
        self.params.extend(self.shared)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the shared ones."""
        own = [p for p in self.get_params(ctx) if p not in self.shared]
        for title, params in (("Options", own), ("Options of every command", self.shared)):
            rows = [row for p in params if (row := p.get_help_record(ctx)) is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Verb(_Shared):
    """A command that does something."""

    def invoke(self, ctx: click.Context) -> Any:
        """Do it, with the log as it was asked for."""
        ctx.ensure_object(Face).log()
        return super().invoke(ctx)


class Group(click.Group):
    """Commands about one noun."""

    command_class: type[click.Command] | None = Verb
    group_class: type[click.Group | type] | None = type

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        """The commands in the order in which they were added."""
        return list(self.commands)


class Root(Group):
    """The whole of it: maps what is raised to an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Do what was asked. That a reader of the output has enough is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # nothing more can be written, not even what is left in a buffer
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return exits.OK

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]  # it never returns
        """Run, and leave with an exit code."""
        extra["standalone_mode"] = False
        face = Face()
        try:
            code = super().main(args, obj=face, **extra)
        except AssetflowError as error:
            note(exits.tell_error(error, as_json=face.form is Form.JSON or face.log_json))
            code = exits.exit_code(error)
        except click.ClickException as wrong:
            wrong.show()
            code = wrong.exit_code if isinstance(wrong, click.UsageError) else exits.REJECTED
        except (click.Abort, KeyboardInterrupt):
            note("\nStopped.")
            code = exits.INTERRUPTED
        except Exception as error:
            if face.verbosity > 1:
                raise
            note(
                f"Something unexpected: {type(error).__name__}.\n"
                "  do     Run it again with -vv to see where, and report it without personal data.\n"
                "  code   unexpected"
            )
            code = exits.UNEXPECTED
        raise SystemExit(code if isinstance(code, int) else exits.OK)
