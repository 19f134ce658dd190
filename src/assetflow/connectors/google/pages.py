"""From a page's bytes to records: the whole page at once, and record by record when that fails.

A page that is as documented costs one typed decode. One that is not is read again with looser
types; then cut into records, so that a bad record becomes a problem and the others are kept; and
at last, when the bytes are not even sound JSON, with the standard library and a clean-up.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from attrs import field, frozen

from assetflow.errors import PayloadError
from assetflow.wire import Problem

__all__ = ["Decoded", "Shape"]

ExactT = TypeVar("ExactT", bound=msgspec.Struct)
OddT = TypeVar("OddT", bound=msgspec.Struct)

# What decoding bytes from outside may raise; deep nesting in a key nobody reads is the last.
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_PROXY_HINT = "A proxy, filter or sign-in page may have answered; open the address in a browser."
_MSGSPEC = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<where>.*)`)?", re.DOTALL)
_SAMPLE = 10


@frozen(kw_only=True)
class Decoded(Generic[ExactT, OddT]):
    """A page's records, and what could not be read."""

    exact: Sequence[ExactT] | None
    """The records, when all of them are as documented; else they are in ``odd``."""
    odd: Sequence[OddT]
    """The records of a page that is not, in its order, without the bad ones."""
    following: str | None
    """The token of the next page; never empty."""
    problems: tuple[Problem, ...]
    """The records that could not be read."""
    raws: Callable[[], Sequence[bytes]] = field(repr=False, eq=False)
    """Cuts the page into the bytes of its good records."""


class Shape(Generic[ExactT, OddT]):
    """How a page of one kind of record is read.

    Args:
        key: Where the page keeps its records.
        id_key: Where a record keeps its id.
        exact: The record as documented.
        odd: The same with looser types.
    """

    def __init__(self, *, key: str, id_key: str, exact: type[ExactT], odd: type[OddT]) -> None:
        self.key = key
        self.id_key = id_key
        # int64 comes as text, which only the lax mode reads as a number.
        self._exact = msgspec.json.Decoder(_page(key, exact), strict=False)
        self._odd = msgspec.json.Decoder(_page(key, odd))
        self._cut = msgspec.json.Decoder(_page(key, msgspec.Raw))
        self._one = msgspec.json.Decoder(odd)
        only_id: Any = msgspec.defstruct(
            "OnlyId", [("id", Any, msgspec.field(name=id_key, default=None))]
        )
        self._id = msgspec.json.Decoder(only_id)
        self._known = frozenset(f.encode_name for f in msgspec.structs.fields(exact))

    def decode(self, body: bytes) -> Decoded[ExactT, OddT]:
        """The records of a page.

        Args:
            body: The page, inflated.

        Raises:
            PayloadError: It is no page at all, or it holds an error instead of records.
        """
        try:
            page = self._exact.decode(body)
        except _BROKEN:
            return self._decode_odd(body)
        return Decoded(
            exact=page.records or (),
            odd=(),
            following=_following(page),
            problems=(),
            raws=lambda: self._split(body),
        )

    def _decode_odd(self, body: bytes) -> Decoded[ExactT, OddT]:
        try:
            page = self._odd.decode(body)
        except _BROKEN:
            return self._decode_each(body)
        return Decoded(
            exact=None,
            odd=page.records or (),
            following=_following(page),
            problems=(),
            raws=lambda: self._split(body),
        )

    def _decode_each(self, body: bytes) -> Decoded[ExactT, OddT]:
        try:
            page = self._cut.decode(body)
        except _BROKEN:
            body = _cleaned(body)
            try:
                page = self._cut.decode(body)
            except _BROKEN:
                raise _no_page() from None
        good: list[OddT] = []
        kept: list[tuple[int, bytes | None]] = []
        problems: list[Problem] = []
        for position, raw in enumerate(page.records or ()):
            mended: bytes | None = None
            try:
                try:
                    record = self._one.decode(raw)
                except msgspec.ValidationError:
                    raise
                except _BROKEN:
                    mended = _cleaned(bytes(raw))
                    record = self._one.decode(mended)
            except (*_BROKEN, PayloadError) as error:
                problems.append(self._problem(position, raw, error))
            else:
                good.append(record)
                kept.append((position, mended))

        def raws() -> list[bytes]:
            whole = self._split(body)
            return [whole[position] if mended is None else mended for position, mended in kept]

        return Decoded(
            exact=None,
            odd=good,
            following=_following(page),
            problems=tuple(problems),
            raws=raws,
        )

    def _split(self, body: bytes) -> list[bytes]:
        # Copies: one kept Raw would keep the whole page in memory.
        return [bytes(raw) for raw in self._cut.decode(body).records or ()]

    def _problem(self, position: int, raw: msgspec.Raw, error: Exception) -> Problem:
        what, where = _explained(error)
        try:
            found: object = self._id.decode(raw).id
        except _BROKEN:
            found = None
        known = found if isinstance(found, str) and 0 < len(found) <= 100 else None
        return Problem(path=f"{self.key}[{position}]{where}", message=what, record=known)

    def unread(self, body: bytes) -> Mapping[str, int]:
        """Keys of the first records that nobody reads, and how often each was there.

        Only a few records are looked at: doing it for all costs more than decoding them.

        Args:
            body: A page that could be decoded.
        """
        found: Counter[str] = Counter()
        try:
            records = self._cut.decode(body).records or ()
            for raw in records[:_SAMPLE]:
                keys = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
                found.update(key for key in keys if key not in self._known)
        except _BROKEN:
            return {}
        return found


def _page(key: str, record: Any) -> Any:
    return msgspec.defstruct(
        "Page",
        [
            ("records", list[record] | None, msgspec.field(name=key, default=None)),
            ("token", str | int | None, msgspec.field(name="nextPageToken", default=None)),
            ("error", msgspec.Raw | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET)),
        ],
        frozen=True,
        gc=False,
    )


def _following(page: Any) -> str | None:
    """The next page's token. An empty one means the end: sending it back is an error."""
    if page.error is not msgspec.UNSET:
        raise PayloadError("an answer that says it is good holds an error", problems=("error",))
    token = page.token
    return None if token is None or token == "" else str(token)


def _no_page() -> PayloadError:
    return PayloadError("the answer is not a page of records", problems=("$",), hint=_PROXY_HINT)


def _explained(error: Exception) -> tuple[str, str]:
    """What msgspec expected, and where. Its messages name types and keys, never values."""
    if isinstance(error, msgspec.ValidationError):
        found = _MSGSPEC.fullmatch(str(error))
        if found is not None:
            return found["what"] or "not as documented", found["where"] or ""
    if isinstance(error, RecursionError):
        return "nested too deeply", ""
    return "not sound JSON", ""


def _cleaned(body: bytes) -> bytes:
    """The page again as sound JSON: control characters and half characters replaced.

    Raises:
        PayloadError: It is not JSON in any reading.
    """
    try:
        found = json.loads(body.decode("utf-8", "replace"), strict=False, parse_constant=_nothing)
        return msgspec.json.encode(_whole_characters(found))
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        raise _no_page() from None


def _nothing(_name: str) -> None:
    """NaN and Infinity are not JSON; they say nothing that could be kept."""


def _whole_characters(value: Any) -> Any:
    """The same value with lone surrogates replaced, which no text may hold."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(k): _whole_characters(v) for k, v in value.items()}
    return value
