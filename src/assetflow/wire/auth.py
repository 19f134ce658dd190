"""Credentials: where a token comes from, and a text that never shows itself."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn, Protocol

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.wire.redact import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assetflow.wire.call import Flow

__all__ = ["NoAuth", "Secret", "StaticToken", "Token", "TokenSource"]


class Secret:  # noqa: PLW1641  # no hash, see below
    """A text that shows itself only when asked.

    Printing, formatting and logging give ``***``; pickling is refused, since a pickle is a file
    or a message to another process. Two secrets compare equal when their texts do.

    Args:
        value: The text.

    Example:
        >>> key = Secret("open sesame")
        >>> print(key, f"{key!r}", key.reveal())
        *** Secret(***) open sesame
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise InvalidValue("a secret is a text")
        self._value = value

    def reveal(self) -> str:
        """The text itself. Hand it to what needs it; keep it in no variable."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    # No hash, which Python takes away beside __eq__: one in a cache key says something of the text.

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self


def _ends_in_a_zone(_instance: object, _attribute: object, value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise InvalidValue("expires_at needs a time zone")


@frozen(kw_only=True)
class Token:
    """What goes along with each call to show who asks.

    A token source says how long the token lives in one of two ways. ``expires_in`` is the safer
    one: it does not depend on this machine's clock.
    """

    value: Secret
    """The token."""
    expires_in: float | None = None
    """Seconds that it lives, counted from when it was asked for; ``None`` for no known end."""
    expires_at: datetime | None = field(default=None, validator=_ends_in_a_zone)
    """When it ends, by this machine's clock, where the vendor gives no ``expires_in``."""
    header: str = "Authorization"
    """The header that carries it."""
    prefix: str = "Bearer "
    """What stands before it in the header."""
    extra: tuple[tuple[str, Secret], ...] = ()
    """Further headers with credentials, for vendors that want two."""

    def headers(self) -> Iterator[tuple[str, str]]:
        """The headers, with the secrets revealed."""
        yield self.header, f"{self.prefix}{self.value.reveal()}"
        for name, secret in self.extra:
            yield name, secret.reveal()


class TokenSource(Protocol):
    """Gets tokens for a driver.

    The driver asks for one when it has none, when the one it has is about to end, and once more
    when the vendor refuses it; threads and tasks that need one at the same moment share one
    fetch. A source may also have a method ``classify`` (a
    [`Classifier`][assetflow.wire.Classifier]) for the answers of the token endpoint; without it
    [`classify_token`][assetflow.wire.classify_token] judges them by RFC 6749.
    """

    def fetch(self) -> Flow[Token]:
        """Get a token, as a flow, so that both drivers can run it through their own client.

        Its calls carry no token. They may name a full ``https`` address on any host, as the
        token endpoint often is another; plain ``http`` is accepted on this machine and on the
        connector's own host only.
        """
        raise NotImplementedError


def _secret(value: Secret | str) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@frozen
class StaticToken:
    """A token that was made by hand in the vendor's settings and does not change."""

    value: Secret = field(converter=_secret)
    """The token; a plain text is taken too."""
    header: str = field(default="Authorization", kw_only=True)
    """The header that carries it."""
    prefix: str = field(default="Bearer ", kw_only=True)
    """What stands before it in the header."""
    extra: tuple[tuple[str, Secret], ...] = field(default=(), kw_only=True)
    """Further headers with credentials."""

    @classmethod
    def basic(cls, user: str, password: Secret | str) -> StaticToken:
        """HTTP Basic credentials (RFC 7617).

        Args:
            user: The account's name; it may not contain a colon.
            password: The password or API key.
        """
        if ":" in user:
            raise InvalidValue("a user name for HTTP Basic may not contain a colon")
        plain = password.reveal() if isinstance(password, Secret) else password
        packed = base64.b64encode(f"{user}:{plain}".encode()).decode("ascii")
        return cls(Secret(packed), prefix="Basic ")

    def fetch(self) -> Flow[Token]:
        """The token, without a call."""
        yield from ()
        return Token(value=self.value, header=self.header, prefix=self.prefix, extra=self.extra)


@frozen
class NoAuth:
    """No credentials: for public endpoints, or a caller's own client that adds them itself."""

    def fetch(self) -> Flow[Token]:
        """Never asked for.

        Raises:
            InvalidValue: Always.
        """
        yield from ()
        raise InvalidValue("there is no token to fetch")
