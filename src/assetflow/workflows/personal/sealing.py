"""Sealing a name with a key that the district keeps outside the database."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from attrs import field, frozen

from assetflow.errors import IdentityKeyNeeded, InvalidValue, MissingExtra

if TYPE_CHECKING:
    from assetflow.model import RetainedIdentity

__all__ = ["WITHHELD", "IdentityKey", "IdentityKeys", "open_name", "seal_name"]

WITHHELD = "withheld"
"""What stands in place of a name that cannot be opened here."""

_PREFIX = "assetflow-identity-key:"
_KEY_BYTES, _NONCE_BYTES = 32, 12
_VARIABLE = "ASSETFLOW_IDENTITY_KEYS"


@frozen
class IdentityKey:
    """A key of 256 bits for the names of erased people. Its secret never shows, nor can it be pickled."""

    secret: bytes = field(repr=False)
    """32 random bytes."""

    def __attrs_post_init__(self) -> None:
        if len(self.secret) != _KEY_BYTES:
            raise InvalidValue("an identity key has 32 bytes")

    @classmethod
    def new(cls, *, entropy: Callable[[int], bytes] = os.urandom) -> Self:
        """A new key."""
        return cls(entropy(_KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The key that `to_text` wrote.

        Raises:
            InvalidValue: it is none.
        """
        body = text.strip()
        try:
            secret = base64.b64decode(body.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error):
            secret = b""
        if not body.startswith(_PREFIX) or len(secret) != _KEY_BYTES:
            hint = "A line that `assetflow retention new-key` printed."
            raise InvalidValue("that is no identity key", hint=hint) from None
        return cls(secret)

    def to_text(self) -> str:
        """The key as one line, for a file or a secret store. Whoever has it can read the names."""
        return _PREFIX + base64.b64encode(self.secret).decode()

    @property
    def id(self) -> str:
        """Which key it is: 16 hexadecimal digits that say nothing of the secret."""
        return sha256(b"assetflow identity key id" + self.secret).hexdigest()[:16]

    def __reduce__(self) -> NoReturn:
        raise TypeError("an identity key is not pickled")


@frozen
class IdentityKeys:
    """The keys that a district has: the first seals, all open."""

    keys: tuple[IdentityKey, ...]
    """The keys, the newest first."""

    def __attrs_post_init__(self) -> None:
        if not self.keys:
            raise InvalidValue("there is no identity key")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Keys of which each stands on a line; an empty line and one that begins with # are passed over.

        Raises:
            InvalidValue: a line is no key, or there is none.
        """
        lines = (line.strip() for line in text.splitlines())
        return cls(tuple(IdentityKey.from_text(s) for s in lines if s and not s.startswith("#")))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Keys from a file that only its owner should be able to read.

        Raises:
            InvalidValue: it cannot be read, or holds no key.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            text = None
        if text is None:
            raise InvalidValue("the file of identity keys cannot be read")
        return cls.from_text(text)

    @classmethod
    def from_env(
        cls, *, environ: Mapping[str, str] = os.environ, variable: str = _VARIABLE
    ) -> Self | None:
        """Keys from ``ASSETFLOW_IDENTITY_KEYS``; ``None`` when it is not set.

        Raises:
            InvalidValue: it holds no key.
        """
        text = environ.get(variable)
        return None if not text else cls.from_text(text)

    @classmethod
    def from_callable(cls, ask: Callable[[], str]) -> Self:
        """Keys from a secret store: *ask* gives their text when this is called."""
        return cls.from_text(ask())

    @property
    def newest(self) -> IdentityKey:
        """The key that seals."""
        return self.keys[0]

    def get(self, key_id: str) -> IdentityKey | None:
        """The key with that id, if it is here."""
        return next((k for k in self.keys if k.id == key_id), None)


def _cipher(key: IdentityKey) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # an extra
    except ImportError:
        raise MissingExtra("privacy", needs="cryptography") from None
    return AESGCM(key.secret)


def _bound(district: str, person_id: str, programme: str, key_id: str) -> bytes:
    """What the ciphertext is bound to, so that it cannot be put into another row."""
    return f"assetflow identity 1\0{district}\0{person_id}\0{programme}\0{key_id}".encode()


def seal_name(
    key: IdentityKey,
    name: str,
    *,
    district: str,
    person_id: str,
    programme: str,
    entropy: Callable[[int], bytes],
) -> bytes:
    """A name as a nonce and AES-256-GCM ciphertext.

    Names are filled up to whole blocks of 64 bytes, so that the length says little.

    Raises:
        MissingExtra: the package ``cryptography`` is not installed.
    """
    text = name.encode()
    padded = text + b"\0" * (-len(text) % 64)
    nonce = entropy(_NONCE_BYTES)
    sealed: bytes = _cipher(key).encrypt(
        nonce, padded, _bound(district, person_id, programme, key.id)
    )
    return nonce + sealed


def open_name(keys: IdentityKeys | None, kept: RetainedIdentity, *, district: str) -> str | None:
    """The name that was sealed; ``None`` without its key.

    Raises:
        IdentityKeyNeeded: the key is there, and the ciphertext is not what it sealed.
        MissingExtra: the package ``cryptography`` is not installed.
    """
    key = keys.get(kept.key_id) if keys is not None else None
    if key is None:
        return None
    bound = _bound(district, kept.person_id, kept.programme, key.id)
    cipher = _cipher(key)
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # an extra

    try:
        padded: bytes = cipher.decrypt(
            kept.sealed[:_NONCE_BYTES], kept.sealed[_NONCE_BYTES:], bound
        )
    except (InvalidTag, ValueError):
        padded = b""
    if not padded:
        msg = "a sealed name was changed since it was sealed"
        raise IdentityKeyNeeded(msg, person_id=kept.person_id, key_id=key.id)
    return padded.rstrip(b"\0").decode()
