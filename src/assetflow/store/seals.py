"""A seal: the end of a journal, small enough to be kept where nobody can rewrite it.

Whoever may write the whole database can write a whole new journal, and every hash of it will
agree with the others. It will not agree with a seal that lies elsewhere: the seal names an event
by its number and its hash, and that hash hangs on every event before it.

A seal that lies where only trusted people write needs no signature. One that travels, by e-mail
or on a shared drive, can be signed: HMAC-SHA256 under a key that whoever checks it holds too.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from assetflow.codec import read_instant, write_instant
from assetflow.errors import InvalidValue, SealInvalid
from assetflow.store.ports import Head

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["FORMAT", "Seal", "seal"]

FORMAT = "assetflow-seal-1"
"""The first word of what is signed; it changes when that changes."""
_LEAST_KEY = 16
_HEX = re.compile(r"[0-9a-f]{64}")


@frozen(kw_only=True)
class Seal:
    """The end of a district's journal at an instant."""

    district: str
    """The district."""
    seq: int
    """Number of the last event."""
    hash: str
    """Its hash, which hangs on every event before it; 64 hexadecimal digits."""
    sealed_at: datetime
    """When it was sealed, by the clock of the machine that did it."""
    signature: str | None = None
    """HMAC-SHA256 over all of the above, hexadecimal; ``None`` when it was not signed."""

    @property
    def head(self) -> Head:
        """The end of the journal, as `assetflow.store.journal.verify` takes it."""
        return Head(self.seq, self.hash)

    def as_dict(self) -> dict[str, Any]:
        """The seal as plain data, as it is written."""
        return {
            "format": FORMAT,
            "district": self.district,
            "seq": self.seq,
            "hash": self.hash,
            "sealed_at": write_instant(self.sealed_at),
            "signature": self.signature,
        }

    def to_text(self) -> str:
        """The seal as a few lines of JSON: to print, to send, to keep elsewhere."""
        return json.dumps(self.as_dict(), indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Seal:
        """A seal from what `to_text`, or the command line, wrote.

        Raises:
            SealInvalid: it is not such a text.
        """
        try:
            said = json.loads(text)
            said = said.get("data", said)
            made = cls(
                district=said["district"],
                seq=said["seq"],
                hash=said["hash"],
                sealed_at=read_instant(said["sealed_at"]),
                signature=said["signature"],
            )
            if said["format"] == FORMAT and _is_sound(made):
                return made
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
        msg = "that is not a seal"
        raise SealInvalid(msg)

    def check(self, key: bytes) -> None:
        """Check the signature.

        Args:
            key: The key that it was signed with.

        Raises:
            SealInvalid: it was not signed, or not with this key, or was changed since.
            InvalidValue: the key is too short.
        """
        if self.signature is None:
            msg = "the seal is not signed"
            raise SealInvalid(
                msg, hint="Check it without a key, if it lay where nobody else writes."
            )
        if not hmac.compare_digest(self.signature, _sign(self, key)):
            msg = "the seal was changed, or signed with another key"
            raise SealInvalid(msg)


def seal(district: str, head: Head, *, at: datetime, key: bytes | None = None) -> Seal:
    """Seal the end of a journal that was verified.

    Args:
        district: The district.
        head: The end of its journal.
        at: Now.
        key: Signs it; at least 16 bytes, kept apart from the database.

    Raises:
        InvalidValue: the journal has no event yet, or the key is too short.
    """
    if not head.seq:
        msg = "a journal without an event has no end to seal"
        raise InvalidValue(msg)
    made = Seal(district=district, seq=head.seq, hash=head.hash, sealed_at=at)
    return made if key is None else evolve(made, signature=_sign(made, key))


def _is_sound(made: Seal) -> bool:
    """Whether what was read holds what it should: a text file may say anything."""
    hashes: tuple[Any, ...] = (made.hash, "0" * 64 if made.signature is None else made.signature)
    district: Any = made.district
    return (
        isinstance(district, str)
        and type(made.seq) is int
        and made.seq > 0
        and all(isinstance(text, str) and _HEX.fullmatch(text) for text in hashes)
    )


def _sign(made: Seal, key: bytes) -> str:
    if len(key) < _LEAST_KEY:
        msg = f"a key that signs seals has at least {_LEAST_KEY} bytes"
        raise InvalidValue(msg, hint="Make one: openssl rand -hex 32")
    instant = write_instant(made.sealed_at)
    said = "\n".join((FORMAT, made.district, str(made.seq), made.hash, instant))
    return hmac.digest(key, said.encode(), "sha256").hex()
