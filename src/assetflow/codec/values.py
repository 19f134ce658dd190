"""Values as plain data and as JSON, by one strict cattrs converter."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.gen import make_dict_structure_fn

from assetflow.codec.text import Tally, encode_plain
from assetflow.errors import AssetflowError, InvalidValue
from assetflow.model.query import instant_text

__all__ = [
    "INT64",
    "Wrong",
    "from_json",
    "from_plain",
    "is_enum",
    "read_date",
    "read_instant",
    "to_json",
    "to_plain",
    "whole",
    "word",
]

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

INT64 = 2**63 - 1
"""The largest whole number that every store keeps."""
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Wrong(ValueError):
    """What is wrong with a value, in words that do not show it."""


# --- reading single values -----------------------------------------------------------------


def whole(value: object) -> int:
    """A whole number of at most 64 bits, and not a flag.

    Raises:
        Wrong: anything else.
    """
    if type(value) is int and -INT64 - 1 <= value <= INT64:
        return value
    msg = "needs a whole number of at most 64 bits"
    raise Wrong(msg)


def read_date(text: object) -> date:
    """A day from ``2026-08-17``.

    Raises:
        ValueError: anything else.
    """
    if isinstance(text, str) and len(text) == 10 and text[4] == text[7] == "-":
        return date.fromisoformat(text)
    msg = "needs a day such as 2026-08-17"
    raise Wrong(msg)


def read_instant(text: object) -> datetime:
    """An instant from ``2026-08-17T13:05:00.000000Z``, the one form that is stored.

    Raises:
        ValueError: anything else.
    """
    if isinstance(text, str) and len(text) == 27 and text[4:20:3] + text[26] == "--T::.Z":
        return datetime.fromisoformat(text)
    msg = "needs an instant such as 2026-08-17T13:05:00.000000Z"
    raise Wrong(msg)


def word(value: object, cls: type[enum.Enum]) -> Any:
    """The member of an enum that has this word.

    Raises:
        Wrong: none has.
    """
    found = cls._value2member_map_.get(value) if isinstance(value, str) else None
    if found is None:
        msg = f"needs one of: {', '.join(str(m.value) for m in cls)}"
        raise Wrong(msg)
    return found


def is_enum(cls: Any) -> bool:
    """Whether a type is an enum."""
    return isinstance(cls, type) and issubclass(cls, enum.Enum)


# --- the converter -------------------------------------------------------------------------


def _exactly(cls: type, words: str) -> Hook:
    def hook(value: Any, _: Any) -> Any:
        if type(value) is not cls:
            msg = f"needs {words}"
            raise Wrong(msg)
        return value

    return hook


def _needs(value: Any, cls: type | tuple[type, ...], words: str) -> Any:
    if not isinstance(value, cls):
        msg = f"needs {words}"
        raise Wrong(msg)
    return value


def _refused(_: Any, cls: Any) -> NoReturn:
    msg = f"holds a {cls.__name__}, which is not used here"
    raise Wrong(msg)


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is Mapping


def _structuring(made: cattrs.Converter) -> None:
    """Strict hooks for reading; no message shows a value."""

    def object_hook(cls: Any) -> Hook:
        build = make_dict_structure_fn(cls, made)
        return lambda value, to: build(_needs(value, dict, "an object"), to)

    def tuple_hook(cls: Any) -> Hook:
        args = get_args(cls)
        if len(args) != 2 or args[1] is not ...:
            msg = f"{cls} is not a tuple of any length"
            raise TypeError(msg)
        inner: Any = list[args[0]]  # type: ignore[valid-type]  # made at run time
        return lambda value, _: tuple(made.structure(_needs(value, list, "a list"), inner))

    def mapping_hook(cls: Any) -> Hook:
        inner: Any = dict[get_args(cls)]  # type: ignore[misc]  # made at run time
        return lambda value, _: MappingProxyType(
            made.structure(_needs(value, dict, "an object"), inner)
        )

    made.register_structure_hook_factory(attrs.has, object_hook)
    made.register_structure_hook_factory(_is_tuple, tuple_hook)
    made.register_structure_hook_factory(_is_mapping, mapping_hook)
    made.register_structure_hook_func(is_enum, word)
    made.register_structure_hook(str, _exactly(str, "text"))
    made.register_structure_hook(bool, _exactly(bool, "true or false"))
    made.register_structure_hook(int, lambda value, _: whole(value))
    made.register_structure_hook(float, _refused)
    made.register_structure_hook(bytes, _refused)
    made.register_structure_hook(date, lambda value, _: read_date(value))
    made.register_structure_hook(datetime, lambda value, _: read_instant(value))


def _unstructuring(made: cattrs.Converter) -> None:
    def plain_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
        return {key: made.unstructure(value[key]) for key in sorted(value)}

    made.register_unstructure_hook_func(is_enum, lambda member: member.value)
    made.register_unstructure_hook_func(_is_mapping, plain_mapping)
    made.register_unstructure_hook(MappingProxyType, plain_mapping)
    made.register_unstructure_hook(date, date.isoformat)
    made.register_unstructure_hook(datetime, instant_text)


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    _structuring(made)
    _unstructuring(made)
    return made


_converter = _make_converter()


# --- values --------------------------------------------------------------------------------


def to_plain(value: Any) -> Any:
    """A value as plain data: dicts, lists, text, whole numbers, flags, ``None``.

    Enums become their word, days and instants ISO text, money an object of minor units and
    currency. Keys of mappings are sorted; fields stand in the order of their class.
    """
    return _converter.unstructure(value)


def from_plain(
    data: Any, cls: type[T], *, what: str, error: type[AssetflowError] = InvalidValue
) -> T:
    """A value of *cls* from plain data.

    Args:
        data: What `json.loads` or `tomllib` gives.
        cls: What to make: an attrs class, or such as ``tuple[CustomValue, ...]``.
        what: What it is, for the error: ``policy``, ``device.services``.
        error: The class of error to raise.

    Raises:
        AssetflowError: of class *error*; names the places that are wrong, never a value.
    """
    try:
        return _converter.structure(data, cls)
    except Exception as problem:  # noqa: BLE001  # whatever a hook raised may hold the value
        places = cattrs.transform_error(problem, path="", format_exception=_say)
    shown = tuple(place.replace(" @ ", " at ").removesuffix(" at ") for place in places[:10])
    raise error(f"{what}: {'; '.join(shown[:3])}", what=what, problems=shown)


def _say(problem: BaseException, _: type | None) -> str:
    """One problem in words that show no value."""
    if isinstance(problem, KeyError):
        return "is missing"
    if isinstance(problem, cattrs.ForbiddenExtraKeysError):
        # A key that does not look like the name of a field may be data; then it is not shown.
        named = sorted(k for k in problem.extra_fields if _FIELD_NAME.fullmatch(str(k)))
        known = ", ".join(f.name for f in attrs.fields(problem.cl))
        return f"unknown: {', '.join(named) or 'a key'} (known: {known})"
    if isinstance(problem, Wrong | AssetflowError):
        return str(problem)
    return "is not what belongs there"


def to_json(value: Any, tally: Tally | None = None) -> str:
    """A value as JSON text: compact, fields in order, texts cleaned. Equal values, equal text."""
    return encode_plain(_converter.unstructure(value), tally).decode()


def from_json(
    text: str | bytes, cls: type[T], *, what: str, error: type[AssetflowError] = InvalidValue
) -> T:
    """A value of *cls* from JSON text.

    Raises:
        AssetflowError: of class *error*; names the places that are wrong, never a value.
    """
    try:
        data = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise error(f"{what}: is not JSON", what=what, problems=("is not JSON",)) from None
    return from_plain(data, cls, what=what, error=error)
