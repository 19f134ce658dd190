"""Which addresses a call may go to whose target somebody else chose: defence against forgery.

Who may name an address to be called may otherwise reach what only this machine can: a router, a
database, a cloud's metadata service. So a name is looked up once, each address that it has is
held against a list, and the connection is made to an address that passed, not to the name again
(a second look-up may give another answer). ``Host`` and the TLS name stay as they were given.

The lists are the IANA special-purpose address registries (IPv4 and IPv6, RFC 6890 and later),
written out, since what Python calls global differs between its patch releases; with multicast
(RFC 5771), the deprecated 6to4 relays (RFC 7526), and one public address behind which a cloud
keeps its metadata. Of IPv6 only global unicast (2000::/3) is admitted, less what carries an IPv4
address within.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from attrs import field, frozen

from assetflow.errors import InvalidValue
from assetflow.wire.address import Base
from assetflow.wire.redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LONGEST_URL", "TargetRules"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2_000
"""Most characters of an address."""

_REFUSED_V4 = {
    "0.0.0.0/8": "this-network",  # RFC 791
    "10.0.0.0/8": "private",  # RFC 1918
    "100.64.0.0/10": "shared",  # RFC 6598, carrier-grade NAT; also a cloud's metadata
    "127.0.0.0/8": "loopback",  # RFC 1122
    "168.63.129.16/32": "metadata",  # Azure's wire server, a public address
    "169.254.0.0/16": "link-local",  # RFC 3927; the metadata services' 169.254.169.254
    "172.16.0.0/12": "private",  # RFC 1918
    "192.0.0.0/24": "reserved",  # RFC 6890; Oracle's metadata 192.0.0.192
    "192.0.2.0/24": "documentation",  # RFC 5737
    "192.31.196.0/24": "reserved",  # RFC 7535, AS112
    "192.52.193.0/24": "reserved",  # RFC 7450, AMT
    "192.88.99.0/24": "6to4",  # RFC 7526
    "192.168.0.0/16": "private",  # RFC 1918
    "192.175.48.0/24": "reserved",  # RFC 7534, AS112
    "198.18.0.0/15": "benchmarking",  # RFC 2544
    "198.51.100.0/24": "documentation",  # RFC 5737
    "203.0.113.0/24": "documentation",  # RFC 5737
    "224.0.0.0/4": "multicast",  # RFC 5771
    "240.0.0.0/4": "reserved",  # RFC 1112; 255.255.255.255 is the broadcast
}
# First what names itself better than "not global unicast" would.
_REFUSED_V6 = {
    "::/128": "unspecified",  # RFC 4291
    "::1/128": "loopback",  # RFC 4291
    "::/96": "ipv4-embedded",  # RFC 4291, IPv4-compatible
    "::ffff:0:0/96": "ipv4-mapped",  # RFC 4291
    "::ffff:0:0:0/96": "ipv4-embedded",  # RFC 7915, IPv4-translated
    "64:ff9b::/96": "nat64",  # RFC 6052
    "64:ff9b:1::/48": "nat64",  # RFC 8215
    "100::/64": "reserved",  # RFC 6666, discard
    "fc00::/7": "private",  # RFC 4193; AWS's metadata fd00:ec2::254
    "fe80::/10": "link-local",  # RFC 4291
    "fec0::/10": "private",  # RFC 3879
    "ff00::/8": "multicast",  # RFC 4291
    "2001::/23": "reserved",  # RFC 2928; Teredo 2001::/32 carries IPv4 within
    "2001:db8::/32": "documentation",  # RFC 3849
    "2002::/16": "6to4",  # RFC 3056
    "2620:4f:8000::/48": "reserved",  # RFC 7534, AS112
    "3fff::/20": "documentation",  # RFC 9637
}
_UNICAST = ipaddress.ip_network("2000::/3")
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(text), why) for text, why in (_REFUSED_V4 | _REFUSED_V6).items()
)
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}  # RFC 5214: these 32 bits, then an IPv4 address


def _networks(given: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(given, str):
        given = (given,)
    try:
        return tuple(ipaddress.ip_network(text) for text in given)
    except ValueError:
        pass
    msg = "a network that is allowed reads like 10.20.0.0/16 or 127.0.0.1/32"
    raise InvalidValue(msg)


@frozen(kw_only=True)
class TargetRules:
    """What is admitted beyond public addresses over https.

    Whoever makes the calls says so, not whoever names the targets.

    Raises:
        InvalidValue: a network that is none.
    """

    networks: tuple[Network, ...] = field(default=(), converter=_networks)
    """Networks that are allowed although they are not public, such as ``10.20.0.0/16``."""
    plain_http: bool = False
    """Whether ``http`` is allowed, so that anybody on the way can read along."""

    @classmethod
    def loopback(cls) -> TargetRules:
        """For tests and receivers on this machine: plain http to loopback, and public https."""
        return cls(networks=("127.0.0.0/8", "::1/128"), plain_http=True)

    def refused_because(self, address: str) -> str | None:
        """Why a numeric address is not called; ``None`` when it may be.

        Args:
            address: As a name server gives it, an IPv6 address also with its zone.
        """
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return "not-an-address"
        if any(found in network for network in self.networks):
            return None
        for network, why in _REFUSED:
            if found in network:
                return why
        if found.version == 6:
            if found not in _UNICAST:
                return "reserved"
            if (int(found) >> 32) & 0xFFFF_FFFF in _ISATAP:
                return "ipv4-embedded"
        return None

    def origin_of(self, url: str) -> str:
        """Scheme and host of an address that may be called, as far as its text goes.

        Args:
            url: The whole address.

        Raises:
            InvalidValue: not ``https``, or credentials, a fragment, or a character that should
                have been percent-encoded; the message shows nothing of the address.
        """
        origin = url.partition("?")[0]
        if len(url) > LONGEST_URL:
            raise InvalidValue(f"an address has at most {LONGEST_URL} characters")
        try:
            Base(origin)  # no user, no fragment, nothing that two parsers read differently
            Base(url.replace("?", "/"))
        except InvalidValue:
            raise InvalidValue(
                "a webhook's address looks like https://host/path: no user, password or fragment"
            ) from None
        if not (url.startswith("https://") or self.plain_http):
            raise InvalidValue("a webhook's address begins with https://")
        return redact_url(url)
