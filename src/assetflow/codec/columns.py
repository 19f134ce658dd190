"""How fields are kept: columns and their types."""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import textwrap
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import attrs

if TYPE_CHECKING:
    from assetflow.model import Record, Role

    RecordClass = type[Record]

__all__ = ["Column", "ColumnType", "docs_of"]


class ColumnType(enum.Enum):
    """How a column is kept: types on which drivers, engines and Parquet agree unconverted."""

    TEXT = "text"
    """Text of at most ``length`` characters, or of any length when that is ``None``."""
    INSTANT = "instant"
    """27 characters: ``2026-08-17T13:05:00.000000Z``, always UTC."""
    DATE = "date"
    """10 characters: ``2026-08-17``."""
    INTEGER = "integer"
    """A whole number of 64 bits."""
    FLAG = "flag"
    """0 or 1."""
    MINOR = "minor"
    """Minor units of an amount of money, 64 bits."""
    CURRENCY = "currency"
    """Three letters: the currency of the amount in the column before."""
    JSON = "json"
    """JSON text of any length, encoded by the codec."""
    BYTES = "bytes"
    """Bytes of any length."""


@attrs.frozen(kw_only=True)
class Column:
    """A column of a kind's table."""

    name: str
    """Its name: the field's, or ``<field>_minor`` and ``<field>_currency`` for money."""
    field: str
    """The field that it keeps."""
    role: Role
    """Journalled, personal, volatile or derived."""
    type: ColumnType
    """How it is kept."""
    length: int | None = None
    """Most characters of a text; ``None`` for no limit, and for what is not text."""
    nullable: bool = False
    """Whether the field may be unknown."""
    python: Any = attrs.field(default=None, repr=False)
    """The field's type in Python, without ``None`` and role."""
    record: RecordClass | None = attrs.field(default=None, repr=False)
    """The class that the field belongs to."""

    @property
    def doc(self) -> str:
        """The field's docstring, read from the source; empty when there is no source."""
        return "" if self.record is None else docs_of(cast("type", self.record)).get(self.field, "")


@cache
def docs_of(cls: type) -> dict[str, str]:
    """The docstrings that stand below the fields of a class, by field."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for statement, following in itertools.pairwise(body):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
            case _:
                pass
    return found
