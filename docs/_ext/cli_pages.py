"""The pages about the command line: commands, settings, output."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from reading import markdown, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMMANDS_INTRO = """\
The extra `cli` brings the command `assetflow`: `pip install "assetflow-k12[cli]"`. Every command
binds its options to one or two calls that a script can make as well.

Standard output holds data only; progress, notes and errors go to standard error. Output is a
table for a person, and one of four forms for a program: `--json` (described in
[Output as JSON](cli-json.md)), `--ndjson`, `--csv`, `--tsv`.
"""

JSON_INTRO = """\
With `--json` a command writes one document: an object with `schema_version`, the `kind` of the
document, its `data` and, for some, `meta`. An error goes to standard error as a document of the
kind `error`. `--ndjson` writes only the data, one row a line.

The schema version grows when a field goes away or changes its meaning; new fields may come at any
time, so a reader ignores what it does not know. The same in JSON Schema, by kind:
[cli-json.schema.json](cli-json.schema.json).
"""

SETTINGS_INTRO = """\
The library itself has no settings: a script passes what it wants. These are the settings of the
command line. An option wins over the environment, the environment over `./assetflow.toml`, that
over your own settings file, and a section `[profiles.NAME]`, chosen with `--profile NAME`, over
the rest of its file. `assetflow config show` prints each setting with its value and where it
comes from.
"""

POLICY_INTRO = """\
What districts decide differently is no setting but the district's [policy](policy.md), which is
kept in its store.
"""


def commands_page() -> str:
    """Every command with its arguments and options."""
    from assetflow.cli.app import app  # noqa: PLC0415  # the page's subject
    from assetflow.cli.exits import EXIT_CODES, MEANINGS  # noqa: PLC0415
    from assetflow.cli.verb import shared_options  # noqa: PLC0415

    found = list(walk(app, ["assetflow"]))
    shared = {tuple(option.opts) for option in shared_options()}
    out = [
        "# Command line\n",
        COMMANDS_INTRO,
        table(
            ["command", "what it does"],
            [(f"[`{path}`](#{anchor(path)})", help_of(c, first=True)) for path, c in found],
        ),
        "## Options of every command { #shared }\n",
        options_table(shared_options()),
        "## Exit codes { #exit-codes }\n",
        table(
            ["code", "meaning", "errors"],
            [
                (
                    str(code),
                    meaning,
                    ", ".join(
                        f"[`{name}`](errors.md#{name})"
                        for name, exits_with in sorted(EXIT_CODES.items())
                        if exits_with == code
                    ),
                )
                for code, meaning in MEANINGS.items()
            ],
        ),
    ]
    for path, command in found:
        own = [p for p in command.params if tuple(p.opts) not in shared]
        words = " ".join(p.make_metavar(context(command)) for p in own if is_argument(p))
        out += [
            f"## {path} {{ #{anchor(path)} }}\n",
            f"    {path} {words} [OPTIONS]\n".replace("  [", " ["),
        ]
        out.append(help_of(command) + "\n")
        options = [p for p in own if not is_argument(p)]
        if options:
            out.append(options_table(options))
    return "\n".join(out)


def walk(group: Any, path: list[str]) -> Iterator[tuple[str, Any]]:
    """Every command below a group, in the order in which help lists them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, [*path, name])
        elif not command.hidden:
            yield " ".join([*path, name]), command


def context(command: Any) -> Any:
    """A context to ask a parameter how it is written."""
    import click  # noqa: PLC0415  # with the page's subject

    return click.Context(command)


def is_argument(parameter: Any) -> bool:
    """Whether it is given by its place."""
    return str(parameter.param_type_name) == "argument"


def anchor(path: str) -> str:
    """A command's path as the id of a heading."""
    return path.replace(" ", "-")


def help_of(command: Any, *, first: bool = False) -> str:
    """A command's help as Markdown; its first sentence alone when asked."""
    text = markdown(inspect.cleandoc(command.help or "").partition("\f")[0])
    return text.partition("\n\n")[0] if first else text


def options_table(options: list[Any]) -> str:
    """Options, what each takes and what it is for."""
    import click  # noqa: PLC0415  # with the page's subject

    rows = []
    for option in options:
        record = option.get_help_record(click.Context(click.Command("x")))
        if record is not None:
            rows.append((f"`{record[0]}`", record[1]))
    return table(["option", "what it does"], rows)


def configuration_page() -> str:
    """Every setting, and how secrets are referred to."""
    from assetflow.cli import references  # noqa: PLC0415  # the page's subject
    from assetflow.cli.config import KEYS, variable  # noqa: PLC0415

    secrets = markdown(inspect.cleandoc(references.__doc__ or ""))
    return "\n".join(
        [
            "# Configuration\n",
            SETTINGS_INTRO,
            table(
                ["setting", "in the environment", "default", "what it is"],
                [
                    (
                        f"`{name}`",
                        f"`{variable(name)}`",
                        f"`{key.default}`" if key.default else "",
                        key.meaning,
                    )
                    for name, key in KEYS.items()
                ],
            ),
            "In a file, what stands before the dot is a section:\n",
            '```toml\nstore = "lincoln.db"\n\n[google]\nsubject = "it@lincoln.example"\n```\n',
            "## Secrets { #secrets }\n",
            f"{secrets}\n",
            "## The district's policy { #policy }\n",
            POLICY_INTRO,
        ]
    )


def json_page() -> str:
    """Every document that the command line writes, field by field."""
    from assetflow.cli.schemas import SCHEMAS  # noqa: PLC0415  # the page's subject

    out = [
        "# Output as JSON\n",
        JSON_INTRO,
        table(
            ["kind", "what it is"],
            [
                (f"[`{kind}`](#{kind_anchor(kind)})", s["description"])
                for kind, s in SCHEMAS.items()
            ],
        ),
    ]
    for kind, schema in SCHEMAS.items():
        properties = schema["properties"]
        rows = list(json_rows("data", properties["data"]))
        rows += json_rows("meta", properties.get("meta", {"properties": {}}))
        out += [
            f"## {kind} {{ #{kind_anchor(kind)} }}\n",
            f"{schema['description']} Schema version {properties['schema_version']['const']}.\n",
            table(["field", "type", "what it is"], rows),
        ]
    return "\n".join(out)


def json_schemas() -> str:
    """All schemas, as one JSON object by kind."""
    from assetflow.cli.schemas import SCHEMAS  # noqa: PLC0415  # the page's subject

    return json.dumps({kind: dict(schema) for kind, schema in SCHEMAS.items()}, indent=1) + "\n"


def kind_anchor(kind: str) -> str:
    """A document's kind as the id of a heading."""
    return "kind-" + kind.replace(".", "-")


def json_rows(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The fields of a schema, those of what it holds below them."""
    inner = next((s for s in schema.get("anyOf", ()) if "properties" in s or "items" in s), schema)
    if inner.get("type") == "array":
        yield from json_rows(path + "[]", inner["items"])
        return
    for name, child in inner.get("properties", {}).items():
        where = f"{path}.{name}"
        yield f"`{where}`", json_type(child), child.get("description", "")
        yield from json_rows(where, child)


def json_type(schema: Mapping[str, Any]) -> str:
    """The type of a field in words."""
    if "anyOf" in schema:
        return " or ".join(json_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return "array of " + json_type(schema["items"])
    return str(schema.get("format") or schema.get("type", "any"))
