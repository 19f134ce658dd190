"""Write the pages of the reference that are read off the code.

    python docs/_ext/generate.py --check     say which pages are not what the code says
    python docs/_ext/generate.py --write     write them

The pages are checked in, so that a change of the code shows in review as a change of the page;
``tests/house`` and the documentation build both run the check.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import pkgutil
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli_pages import commands_page, configuration_page, json_page, json_schemas
from reading import enum_texts, field_texts, fields_of, fields_table, markdown, prose, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
NOTE = (
    "<!-- Written by docs/_ext/generate.py from the code; change the code, not this page. -->\n\n"
)


FACES = {"cli", "web"}  # used from outside Python, and documented as such


# --- what there is ------------------------------------------------------------------------


def packages() -> Iterator[str]:
    """The public packages and single modules directly under ``assetflow``."""
    import assetflow  # noqa: PLC0415  # the page's subject, not a tool of this script

    for module in pkgutil.iter_modules(assetflow.__path__):
        if not module.name.startswith("_") and module.name not in FACES:
            yield module.name


def modules_of(room: str) -> list[str]:
    """The public modules of a room, the room's own name first."""
    folder = ROOT / "src" / "assetflow" / room
    if not folder.is_dir():
        return [f"assetflow.{room}"]
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        if "migrations" in parts or any(part.startswith("_") for part in parts[:-1]):
            continue
        if parts[-1] == "__init__":
            found.append(".".join(parts[:-1]))
        elif not parts[-1].startswith("_"):
            found.append(".".join(parts))
    return sorted(found)


# --- pages -----------------------------------------------------------------------------


ERRORS_INTRO = """\
Every error that the library raises on purpose is an `AssetflowError`. It has a stable `code`, a
`recovery` that says what a program should do, a `hint` that tells a person what to do next, and
a `context` of ids, codes and counts. No error holds a name, an e-mail address or a secret, so it
may be logged as it is.
"""

EVENTS_INTRO = """\
What can stand in a district's journal. An event names its subject by opaque id and holds no
personal data. A type ends with its version: the shape of a version never changes.
"""


def errors_page() -> str:
    """Every error: its code, what a program should do, what a person should do."""
    from assetflow import errors  # noqa: PLC0415  # the page's subject

    classes = list(errors.all_errors())
    recovery_texts = enum_texts(errors.Recovery)
    out = [
        "# Errors\n",
        ERRORS_INTRO,
        "## What to do about it\n",
        table(
            ["recovery", "meaning"],
            [(f"`{r.value}`", recovery_texts.get(r.name, "")) for r in errors.Recovery],
        ),
        "## All codes\n",
        table(
            ["code", "raised as", "recovery"],
            [
                (f"[`{c.code}`](#{c.code})", f"`{c.__name__}`", f"`{c.recovery.value}`")
                for c in sorted(classes, key=lambda c: c.code)
            ],
        ),
    ]
    for cls in classes:
        kin = [p.__name__ for p in cls.__bases__ if p is not Exception]
        out += [
            f"## {cls.code} {{ #{cls.code} }}\n",
            f"{prose(cls)}\n",
            table(
                ["", ""],
                [
                    ("raised as", f"`{cls.__name__}`"),
                    ("also a", ", ".join(f"`{name}`" for name in kin) or "`Exception`"),
                    ("recovery", f"`{cls.recovery.value}`"),
                    ("what to do", cls.default_hint),
                ],
            ),
        ]
    return "\n".join(out)


def events_page() -> str:
    """Every type of event in the journal, with its fields."""
    from assetflow.model import EVENT_TYPES, Stamp  # noqa: PLC0415  # the page's subject

    out = [
        "# Events\n",
        EVENTS_INTRO,
        table(
            ["type", "about a", "what happened"],
            [
                (f"[`{name}`](#{anchor(name)})", f"`{cls.SUBJECT}`", prose(cls))
                for name, cls in sorted(EVENT_TYPES.items())
            ],
        ),
        "## What every event carries { #stamp }\n",
        f"{prose(Stamp)}\n",
        fields_table(Stamp),
    ]
    for name, cls in sorted(EVENT_TYPES.items()):
        out += [f"## {name} {{ #{anchor(name)} }}\n", f"{prose(cls)}\n"]
        out.append(fields_table(cls) if fields_of(cls) else "It has no fields of its own.\n")
    return "\n".join(out)


def anchor(name: str) -> str:
    """An event's type as the id of a heading."""
    return re.sub(r"[^a-z0-9]+", "-", name)


DICTIONARY_INTRO = """\
Every table that a store keeps, and what each column is. The district's id, `district_id`, leads
every key, unique set, index and reference, and is not repeated below.

| role | in the journal | on erasure |
| --- | --- | --- |
| journalled | with its values; replaying the journal gives the column again | stays; it holds no personal data |
| **personal** | only that it changed | removed |
| volatile | no | goes with its record |
| derived | no; recomputed and compared | follows what it is computed from |
"""


RETENTION_INTRO = """\
What an erasure does to each kind of record, how long a row is kept, and who says so. The years and
days of the policy are set under [`[retention]`](policy.md); `assetflow retention show` lists what
is over.
"""


def retention_page() -> str:
    """What an erasure does to each kind of record, and what programmes demand."""
    from assetflow.model import KIND_RETENTION, PROGRAMME_RULES, Handling  # noqa: PLC0415

    texts = enum_texts(Handling)
    return "\n".join(
        [
            "# Retention\n",
            RETENTION_INTRO,
            "## What an erasure does { #handling }\n",
            table(["", "meaning"], [(f"`{h.value}`", texts[h.name]) for h in Handling]),
            "## Each kind of record { #kinds }\n",
            table(
                ["kind", "on erasure", "kept", "who says so"],
                [
                    (f"`{name}`", k.handling.value, k.until, k.source)
                    for name, k in sorted(KIND_RETENTION.items())
                ],
            ),
            "## What programmes demand { #programmes }\n",
            table(
                ["programme", "years", "with the name", "counted from", "rule"],
                [
                    (
                        f"`{p.value}`",
                        f"`retention.{r.years_key}`" if r.years_key else "not counted here",
                        "yes" if r.name else "no",
                        r.counted_from,
                        r.source,
                    )
                    for p, r in PROGRAMME_RULES.items()
                ],
            ),
        ]
    )


def dictionary_page() -> str:
    """Every table and column of a store: type, role, whether it may be unknown."""
    from assetflow.codec import ColumnType  # noqa: PLC0415  # the page's subject
    from assetflow.store.ports import StoredEvent  # noqa: PLC0415
    from assetflow.store.schema import JOURNAL, KINDS  # noqa: PLC0415

    kinds = sorted(KINDS.values(), key=lambda kind: kind.name)
    personal = {k.name: [c.name for c in k.columns if c.role.value == "personal"] for k in kinds}
    out = [
        "# Data dictionary\n",
        DICTIONARY_INTRO,
        "## How columns are kept { #types }\n",
        table(
            ["type", "what is stored"],
            [(f"`{t.value}`", enum_texts(ColumnType)[t.name]) for t in ColumnType],
        ),
        "## Where personal data is { #personal }\n",
        table(
            ["table", "personal columns"],
            [
                (f"[`{name}`](#{name})", ", ".join(f"`{column}`" for column in columns))
                for name, columns in personal.items()
                if columns
            ],
        ),
    ]
    for kind in kinds:
        out += [f"## {kind.name} {{ #{kind.name} }}\n", f"{prose(kind.record)}\n", keys_of(kind)]
        out.append(columns_table(kind.columns, {c.name: c.doc for c in kind.columns}))
    out += [
        "## journal { #journal }\n",
        "The hash-chained record of every event. `seq` is its key.\n",
        columns_table(JOURNAL, field_texts(StoredEvent)),
        *views_sections(),
    ]
    return "\n".join(out)


VIEWS_INTRO = """\
Views for those who read with other tools: see [report with SQL](../how-to/report-with-sql.md). They
have readable names, the engine's own types, and no personal column. Each upgrade makes them anew.
"""

PERSONAL_VIEWS_INTRO = """\
These show personal columns. They are made where somebody asks for them.
"""


def views_sections() -> Iterator[str]:
    """Every reporting view and what it shows."""
    from assetflow.store.sql.views import personal_reports, reports  # noqa: PLC0415

    yield "## Reporting views { #views }\n"
    yield VIEWS_INTRO
    yield from map(view_section, reports())
    yield "## Reporting views of personal columns { #personal-views }\n"
    yield PERSONAL_VIEWS_INTRO
    yield from map(view_section, personal_reports())


def view_section(report: Any) -> str:
    """A view as a table of its columns."""
    columns = table(
        ["column", "PostgreSQL", "MariaDB, MySQL", "SQLite", "what it is"],
        [(f"`{c.name}`", *c.types, markdown(c.told)) for c in report.columns],
    )
    return f"### {report.name} {{ #{report.name} }}\n\n{markdown(report.about)}\n\n{columns}"


def keys_of(kind: Any) -> str:
    """The keys of a table, as a list."""

    def named(names: Iterable[str]) -> str:
        return " + ".join(f"`{name}`" for name in names)

    lines = [f"* Key: {named(kind.key)}"]
    lines += [f"* Unique: {named(names)}" for names in kind.unique]
    lines += [f"* Index: {named(names)}" for names in kind.indexes]
    lines += [f"* `{name}` refers to [`{other}`](#{other})" for name, other in kind.refers]
    return "\n".join(lines) + "\n"


def columns_table(columns: Iterable[Any], texts: dict[str, str]) -> str:
    """The columns of a table."""
    return table(
        ["column", "type", "role", "may be unknown", "what it is"],
        [
            (
                f"`{c.name}`",
                f"`{c.type.value}`" + (f", {c.length}" if c.length else ""),
                f"**{c.role.value}**" if c.role.value == "personal" else c.role.value,
                "yes" if c.nullable else "no",
                markdown(texts.get(c.name, "")),
            )
            for c in columns
        ],
    )


PAGES: dict[str, Callable[[], str]] = {
    "errors.md": errors_page,
    "events.md": events_page,
    "data-dictionary.md": dictionary_page,
    "retention.md": retention_page,
    "cli.md": commands_page,
    "cli-json.md": json_page,
    "configuration.md": configuration_page,
}


def api_pages() -> dict[str, str]:
    """A page for each room of the package, with every public module in it."""
    pages = {"api/assetflow.md": front_door()}
    for room in packages():
        names = modules_of(room)
        out = []
        for name in names:
            first = name == f"assetflow.{room}"
            options = [f"heading_level: {1 if first else 2}"]
            if first and len(names) > 1:
                options.append(f"members: [{', '.join(defined_in(name))}]")
            lines = [f"::: {name}", "    options:", *(f"      {option}" for option in options)]
            out.append("\n".join(lines) + "\n")
        pages[f"api/{room}.md"] = "\n".join(out)
    return pages


def defined_in(package: str) -> list[str]:
    """The public names that a package defines itself, beside those that it passes on."""
    path = ROOT / "src" / Path(*package.split(".")) / "__init__.py"
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append(node.targets[0].id)
    return [name for name in found if not name.startswith("_")]


def front_door() -> str:
    """The names of the package itself, each with the place where it is described."""
    import assetflow  # noqa: PLC0415  # the page's subject

    rows = []
    for name in assetflow.__all__:
        thing = getattr(assetflow, name)
        home = getattr(thing, "__module__", "")
        known = home.startswith("assetflow.") and getattr(thing, "__name__", "") == name
        first = prose(thing).partition("\n\n")[0] if known else ""
        rows.append((f"[`{name}`][{home}.{name}]" if known else f"`{name}`", first))
    return "\n".join(
        [
            "::: assetflow\n    options:\n      heading_level: 1\n      members: false\n",
            table(["name", "what it is"], rows),
        ]
    )


# --- command line ----------------------------------------------------------------------


def build() -> dict[Path, str]:
    """Every page and what it should say."""
    texts = {name: page() for name, page in PAGES.items()} | api_pages()
    pages = {REFERENCE / name: NOTE + text.rstrip() + "\n" for name, text in texts.items()}
    return pages | {REFERENCE / "cli-json.schema.json": json_schemas()}


def main(argv: list[str]) -> int:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="change nothing")
    mode.add_argument("--write", action="store_true", help="write the pages that changed")
    args = parser.parse_args(argv)
    stale = 0
    wanted = build()
    for path, text in wanted.items():
        have = path.read_text(encoding="utf-8") if path.exists() else ""
        if have == text:
            continue
        stale += 1
        print(("writing " if args.write else "stale: ") + str(path.relative_to(ROOT)))
        if args.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        else:
            lines = difflib.unified_diff(
                have.splitlines(), text.splitlines(), "page", "code", "", "", 1
            )
            print("\n".join(list(lines)[:20]))
    for path in sorted((REFERENCE / "api").glob("*.md")):
        if path not in wanted:
            stale += 1
            print("no such package: " + str(path.relative_to(ROOT)))
            if args.write:
                path.unlink()
    if stale and not args.write:
        print("Run: python scripts/dev.py docs --write")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
