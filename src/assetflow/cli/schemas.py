"""JSON schemas of the command line's output, read off the rows' classes.

`SCHEMAS` has one for each kind of document. A document is an object with ``schema_version``,
``kind`` and ``data``, some also with ``meta``. The schema version grows when a field goes away
or changes its meaning; new fields may come at any time.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import attrs

from assetflow.cli import (
    demo_view,
    shapes,
    shapes_database,
    shapes_personal,
    shapes_webhooks,
    shapes_work,
)
from assetflow.cli.shown import SCHEMA_VERSION
from assetflow.errors import Recovery
from assetflow.model import Money

__all__ = ["DOCUMENTS", "SCHEMAS", "schema_of"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: Mapping[str, tuple[str, type, bool]] = MappingProxyType(
    {
        "attention.groups": ("assetflow attention", shapes.AttentionGroupRow, True),
        "attention.items": ("assetflow attention --kind KIND", shapes.AttentionRow, True),
        "check-in": ("assetflow check-in", shapes.CustodyRow, False),
        "check-out": ("assetflow check-out", shapes.CustodyRow, False),
        "config.show": ("assetflow config show", shapes_work.SettingRow, True),
        "db.backup": ("assetflow db backup", shapes_database.BackupRow, False),
        "db.copy": ("assetflow db copy", shapes_database.CopyRow, False),
        "db.restore": ("assetflow db restore", shapes_database.BackupRow, False),
        "db.sql": ("assetflow db sql", shapes_database.PendingRow, False),
        "db.status": ("assetflow db status", shapes_database.DatabaseRow, False),
        "db.upgrade": ("assetflow db upgrade", shapes_database.UpgradeRow, False),
        "db.views": ("assetflow db views", shapes_database.ViewRow, True),
        "demo": ("assetflow demo", demo_view.DemoCard, False),
        "demo.clean": ("assetflow demo --clean", demo_view.CleanedCard, False),
        "devices.list": ("assetflow devices list", shapes.DeviceRow, True),
        "devices.show": ("assetflow devices show", shapes.DeviceCard, False),
        "doctor": ("assetflow doctor", shapes_work.CheckRow, True),
        "explain.check-out": ("assetflow explain check-out", shapes.ExplanationCard, False),
        "explain.error": ("assetflow explain error", shapes.ErrorCard, False),
        "export": ("assetflow export", shapes_personal.WrittenRow, False),
        "import": ("assetflow import", shapes_work.ImportRow, False),
        "init": ("assetflow init", shapes_work.InitRow, False),
        "journal.seal": ("assetflow journal seal", shapes_database.SealRow, False),
        "journal.verify": ("assetflow journal verify", shapes.JournalRow, False),
        "people.erase": ("assetflow people erase", shapes_personal.ErasureCard, False),
        "people.export": ("assetflow people export", shapes_personal.WrittenRow, False),
        "policy.adopt": ("assetflow policy adopt", shapes_work.AdoptedRow, False),
        "policy.show": ("assetflow policy show", shapes_work.AdoptedRow, False),
        "pull": ("assetflow pull", shapes_work.PullRow, False),
        "retention.new-key": ("assetflow retention new-key", shapes_personal.WrittenRow, False),
        "retention.rotate": ("assetflow retention rotate", shapes_personal.WrittenRow, False),
        "retention.run": ("assetflow retention run", shapes_personal.RetentionCard, False),
        "retention.show": ("assetflow retention show", shapes_personal.ExpiringRow, True),
        "runs.list": ("assetflow runs list", shapes_work.RunRow, True),
        "runs.show": ("assetflow runs show", shapes_work.RunItemRow, True),
        "transfer": ("assetflow transfer", shapes.CustodyRow, False),
        "webhooks.add": ("assetflow webhooks add", shapes_webhooks.WebhookRow, False),
        "webhooks.dead": ("assetflow webhooks dead", shapes_webhooks.DeadRow, True),
        "webhooks.deliver": ("assetflow webhooks deliver", shapes_webhooks.DeliverRow, False),
        "webhooks.disable": ("assetflow webhooks disable", shapes_webhooks.WebhookRow, False),
        "webhooks.enable": ("assetflow webhooks enable", shapes_webhooks.WebhookRow, False),
        "webhooks.list": ("assetflow webhooks list", shapes_webhooks.WebhookRow, True),
        "webhooks.replay": ("assetflow webhooks replay", shapes_webhooks.ReplayRow, False),
        "webhooks.test": ("assetflow webhooks test", shapes_webhooks.AnswerRow, False),
    }
)
"""Kind of a document to the command that writes it, the class of its data, and whether it has many."""

_META: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "devices.list": {
            "left_out_unknown": {
                "type": "integer",
                "description": "Devices left out only because a compared value is unknown.",
            }
        },
    }
)


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON schema of a kind of document."""
    command, cls, many = DOCUMENTS[kind]
    data = _class(cls)
    meta: dict[str, Any] = dict(_META.get(kind, {}))
    if many:
        data = {"type": "array", "items": data}
        meta["count"] = {"type": "integer", "description": "How many rows there are."}
    if kind == "runs.show":
        meta["run"] = _class(shapes_work.RunRow)
    return _document(kind, f"What `{command} --json` writes.", data, meta)


def _document(
    kind: str, description: str, data: Mapping[str, Any], meta: Mapping[str, Any]
) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "schema_version": {"const": SCHEMA_VERSION},
        "kind": {"const": kind},
        "data": data,
    }
    if meta:
        properties["meta"] = _object(dict(meta))
    return {"$schema": _DIALECT, "title": kind, "description": description, **_object(properties)}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _class(cls: type) -> dict[str, Any]:
    hints, texts = _hints(cls), _texts(cls)
    properties = {
        f.name: {**_type(hints[f.name]), "description": texts[f.name]} for f in attrs.fields(cls)
    }
    return _object(properties)


def _hints(cls: type) -> dict[str, Any]:
    """The types of a class's fields; names that only type checkers import are not needed."""
    known = {"Mapping": Mapping, "Any": Any}
    return typing.get_type_hints(cls, localns=known)


_PLAIN: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    Money: _object({"amount": {"type": "string"}, "currency": {"type": "string"}}),
}


def _type(hint: Any) -> dict[str, Any]:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [_type(arg) for arg in args]}
    if origin is tuple:
        return {"type": "array", "items": _type(args[0])}
    if origin is Mapping:
        return {"type": "object"}
    return _class(hint)


@cache
def _texts(cls: type) -> dict[str, str]:
    """The docstring below each field, those of the parents too."""
    found: dict[str, str] = {}
    for owner in reversed(cls.__mro__[:-1]):
        found.update(_own_texts(owner))
    return found


def _own_texts(owner: type) -> Iterator[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    for node, after in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            yield node.target.id, " ".join(str(after.value.value).replace("``", "`").split())


def _error_schema() -> dict[str, Any]:
    data = _object(
        {
            "code": {"type": "string", "description": "The error's stable code."},
            "message": {"type": "string", "description": "What happened, and to what."},
            "hint": {"type": "string", "description": "What to do next."},
            "recovery": {
                "enum": [r.value for r in Recovery],
                "description": "What a program should do.",
            },
            "context": {"type": "object", "description": "Ids, codes and counts."},
        }
    )
    about = "What a command with `--json` writes to standard error when it fails."
    return _document("error", about, data, {})


SCHEMAS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {kind: schema_of(kind) for kind in DOCUMENTS} | {"error": _error_schema()}
)
"""Kind of a document to its JSON schema."""
