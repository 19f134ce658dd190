"""Reading docstrings, fields and types off the code, and writing them as Markdown."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


def prose(owner: object) -> str:
    """A docstring without its Google sections, in Markdown."""
    text = inspect.cleandoc(getattr(owner, "__doc__", None) or "")
    kept = re.split(r"\n\n(?:Args|Attributes|Returns|Raises|Yields|Example|Note)s?:\n", text)[0]
    return markdown(kept)


def markdown(text: str) -> str:
    """Double backticks of a docstring as Markdown's single ones, on one line a paragraph."""
    paragraphs = re.split(r"\n\s*\n", text.strip().replace("``", "`"))
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def cell(text: str) -> str:
    """Text made fit for a cell of a table; a bar inside code needs no escape."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(p if p.startswith("`") else p.replace("|", "\\|") for p in parts)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def field_texts(cls: type) -> dict[str, str]:
    """The docstring below each field of a class, those of its parents too."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for node, after in itertools.pairwise(body):
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[node.target.id] = markdown(inspect.cleandoc(str(after.value.value)))
    return found


def field_types(cls: type) -> dict[str, str]:
    """The annotation of each field as it stands in the source, without the role around it."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        for node in ast.walk(tree):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = ast.unparse(node.annotation)
                role = re.fullmatch(r"(?:Journalled|Personal|Volatile|Derived)\[(.*)\]", text)
                found[node.target.id] = role[1] if role else text
    return found


def enum_texts(cls: type) -> dict[str, str]:
    """The docstring below each member of an enumeration."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.Assign) and isinstance(after, ast.Expr):
            name, text = node.targets[0], after.value
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
                found[name.id] = markdown(str(text.value))
    return found


def fields_of(cls: Any) -> tuple[attrs.Attribute[Any], ...]:
    """The attrs fields of a class, whatever the type checker knows of it."""
    return tuple(attrs.fields(cls))


def fields_table(cls: Any) -> str:
    """The fields of an attrs class."""
    texts, types = field_texts(cls), field_types(cls)
    return table(
        ["field", "type", "must be given", "what it is"],
        [
            (
                f"`{f.name}`",
                f"`{types.get(f.name, '')}`",
                "yes" if f.default is attrs.NOTHING else "no",
                texts.get(f.name, ""),
            )
            for f in fields_of(cls)
        ],
    )
