r"""Which addresses a call may go to: the connector's own host, and nothing that only looks like it.

Addresses come from vendors' answers too (the link to the next page, a ``Location`` header), so
they are compared as text with what was configured, never parsed and put together again: two
parsers that disagree about ``https://good.example\@evil.example/`` are how tokens get lost.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin

from attrs import Factory, field, frozen

from assetflow.errors import AssetflowError, InvalidValue, RedirectRefused
from assetflow.wire.redact import redact_url

if TYPE_CHECKING:
    from assetflow.wire.call import Call

__all__ = ["Base", "next_hop"]

_LABEL = r"[A-Za-z0-9_-]{1,63}"
_HOST = rf"(?:{_LABEL}\.)*{_LABEL}\.?|\[[0-9A-Fa-f:.]+\]"
_ORIGIN = re.compile(rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?(?=[/?]|\Z)")
# Backslashes, blanks and control characters are read differently by different parsers; a
# fragment is never sent; anything else outside ASCII should have been percent-encoded.
_ODD = re.compile(r"[^!-~]|[\\#]")
_DEFAULT_PORT = {"http": 80, "https": 443}


@frozen
class _Origin:
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, address: str) -> _Origin | None:
        """The origin of a full address; ``None`` when it has none that is beyond doubt."""
        found = None if _ODD.search(address) else _ORIGIN.match(address)
        if found is None:
            return None
        scheme, host, port = found.groups()
        return cls(scheme, host.lower(), int(port) if port else _DEFAULT_PORT[scheme])

    @property
    def on_this_machine(self) -> bool:
        """Whether it is a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def leads_to(self, other: _Origin) -> bool:
        """Whether a call here may be sent on there: the same origin, or its own move to TLS."""
        moved_to_tls = _Origin("https", self.host, 443)
        return other == self or (self == _Origin("http", self.host, 80) and other == moved_to_tls)


def _origin_of(base: Base) -> _Origin:
    origin = _Origin.of(base.address)
    if origin is None or "?" in base.address:
        raise InvalidValue(
            "a base address looks like https://host/path: no user, query or fragment"
        )
    return origin


def _no_slash(address: str) -> str:
    return address.rstrip("/")


@frozen
class Base:
    """A connector's base address, such as ``https://lincoln.jamfcloud.com/api``.

    Raises:
        InvalidValue: It has no scheme or host, or it has a user, query or fragment.
    """

    address: str = field(converter=_no_slash)
    """The address, without a slash at its end."""
    _origin: _Origin = field(
        init=False, repr=False, eq=False, default=Factory(_origin_of, takes_self=True)
    )

    @property
    def in_clear(self) -> bool:
        """Whether credentials would cross a network unencrypted."""
        return self._origin.scheme == "http" and not self._origin.on_this_machine

    def resolve(self, call: Call, *, for_token: bool = False) -> str | AssetflowError:
        """The full address of a call.

        What is wrong is returned, not raised: an error raised here would show the address among
        its traceback's variables.

        Args:
            call: Its path is below the base, or a full address.
            for_token: The call carries no token of ours and gets one, often at another host.

        Returns:
            The address; an `InvalidValue` for a path with characters that should have been
            percent-encoded; a `RedirectRefused` for a full address on another host.
        """
        path = call.path
        if _ODD.search(path):
            return InvalidValue(
                "a path has blanks, backslashes, '#' or non-ASCII: percent-encode ids in it",
                operation=call.operation,
            )
        if path[:8].lower().startswith(("http://", "https://")):
            if not self._admits(path, for_token=for_token):
                return RedirectRefused("a call names an address on another host", host=_shown(path))
            url = path
        else:
            url = f"{self.address}/{path.removeprefix('/')}"
        if not call.params:
            return url
        return f"{url}{'&' if '?' in url else '?'}{urlencode(call.params)}"

    def _admits(self, address: str, *, for_token: bool) -> bool:
        origin = _Origin.of(address)
        if origin is None:
            return False
        elsewhere = origin.scheme == "https" or origin.on_this_machine
        return origin == self._origin or (for_token and elsewhere)


def next_hop(method: str, current: str, location: str | None) -> str | RedirectRefused:
    """The address that a redirect leads to, if the call may go there.

    Args:
        method: The method of the call; only GET and HEAD are sent on.
        current: The full address that answered.
        location: Its ``Location`` header.

    Returns:
        The address; or the error to raise, for another host, a step down from TLS, a call that
        may write, or no usable address.
    """
    here = _Origin.of(current)
    target = "" if location is None else _joined(current, location.partition("#")[0])
    there = _Origin.of(target)
    if here is None or there is None:
        return RedirectRefused("the server redirects to no usable address")
    if not here.leads_to(there):
        return RedirectRefused("the server redirects to another host", host=_shown(target))
    if method not in {"GET", "HEAD"}:
        return RedirectRefused("the server redirects a call that may write", host=there.host)
    return target


def _joined(current: str, location: str) -> str:
    try:
        return urljoin(current, location)
    except ValueError:  # such as an unclosed bracket
        return ""


def _shown(address: str) -> str:
    origin = _Origin.of(address)
    return origin.host if origin is not None else redact_url(address)
