"""Page tokens: opaque, and good for the listing that gave them only."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping

from attrs import frozen

__all__ = ["PageToken", "digest"]

_FREE = frozenset({"pageToken", "prettyPrint", "alt", "quotaUser", "$.xgafv", "key"})
_SALT = b"fake-directory"


@frozen(kw_only=True)
class PageToken:
    """Where a listing goes on."""

    listing: str
    """Digest of the parameters that must be the same again."""
    after: int
    """Index of the last record that was given."""
    page: int
    """How many pages were given."""
    begun: float
    """When the listing began, in seconds since 1970."""
    turn: int = 1
    """How often this listing was begun."""

    def text(self) -> str:
        """The token as a client sees it."""
        fields = [self.listing, self.after, self.page, round(self.begun, 3), self.turn]
        plain = json.dumps(fields).encode()
        sealed = hashlib.blake2b(plain, key=_SALT, digest_size=6).digest() + plain
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> PageToken | None:
        """The token of a text; ``None`` when it is none of ours."""
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            plain = sealed[6:]
            if hashlib.blake2b(plain, key=_SALT, digest_size=6).digest() != sealed[:6]:
                return None
            listing, after, page, begun, turn = json.loads(plain)
        except (ValueError, UnicodeError):
            return None
        return cls(listing=listing, after=after, page=page, begun=begun, turn=turn)

    def age(self) -> float:
        """Seconds since the listing began."""
        return time.time() - self.begun


def digest(method: str, params: Mapping[str, str]) -> str:
    """What of a request must be the same on each page of a listing."""
    kept = sorted((name, value) for name, value in params.items() if name not in _FREE)
    return hashlib.blake2b(json.dumps([method, kept]).encode(), digest_size=9).hexdigest()
