"""Tokens: the exchange of a signed claim, the IAM service that signs, and who may do what."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
from attrs import define

from assetflow.testing.google.answers import Answer, Asked, directory_error, json_answer
from assetflow.testing.google.rsa import Key, make_key

if TYPE_CHECKING:
    from assetflow.testing.google.contract import Method

__all__ = ["Gate"]

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUTH = "https://www.googleapis.com/auth/"
CLIENT_ID = "104620000000000000007"
_LEEWAY = 60


@define(kw_only=True)
class _Issued:
    scopes: frozenset[str]
    expires: float
    uses_left: int | None


class Gate:
    """Gives out tokens and looks at them.

    Args:
        domain: The customer's domain.
        admins: Addresses as whom the service account may act.
        anonymous: Whether a call without a token is served.
        granted: Scopes that the admin console grants to the service account.
        life: Seconds that a token lives.
        uses: Calls after which a token is refused all the same; ``None`` for no limit.
    """

    def __init__(
        self,
        *,
        domain: str,
        admins: Iterable[str],
        anonymous: bool = True,
        granted: Iterable[str] | None = None,
        life: int = 3_600,
        uses: int | None = None,
    ) -> None:
        self.account: str = f"assetflow@{domain.partition('.')[0]}-it.iam.gserviceaccount.example"
        self.admins: set[str] = {admin.lower() for admin in admins}
        self.anonymous = anonymous
        self.life = life
        self.uses = uses
        self.granted: frozenset[str] = frozenset(
            granted
            if granted is not None
            else (
                f"{_AUTH}admin.directory.{part}{suffix}"
                for part in ("device.chromeos", "orgunit", "user", "customer")
                for suffix in ("", ".readonly")
            )
        )
        self.source_token = "source-credential-of-the-fake"  # noqa: S105 - it opens nothing
        self._issued: dict[str, _Issued] = {}
        self._numbers = itertools.count(1)

    @property
    def key(self) -> Key:
        """The service account's key."""
        return make_key()

    def key_file(self, token_uri: str) -> dict[str, str]:
        """The content of the service account's key file."""
        return {
            "type": "service_account",
            "project_id": "fake-district",
            "private_key_id": "fake-key-1",
            "private_key": self.key.pem(),
            "client_email": self.account,
            "client_id": CLIENT_ID,
            "token_uri": token_uri,
        }

    # --- the token endpoint -----------------------------------------------------------------

    def exchange(self, asked: Asked) -> Answer:
        """A signed claim against a token (RFC 7523)."""
        form = parse_qs(asked.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [_GRANT] or len(form.get("assertion", ())) != 1:
            return _no(400, "unsupported_grant_type", "Invalid grant_type")
        claims = self._opened(form["assertion"][0])
        if isinstance(claims, Answer):
            return claims
        scopes = str(claims.get("scope", "")).split()
        if str(claims.get("sub", "")).lower() not in self.admins:
            return _no(400, "invalid_grant", "Invalid email or User ID")
        if not scopes or not set(scopes) <= self.granted:
            return _no(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not "
                "authorized for any of the scopes requested.",
            )
        token = f"ya29.fake-{next(self._numbers):06d}-{id(self) & 0xFFFFFF:06x}"
        self._issued[token] = _Issued(
            scopes=frozenset(scopes), expires=time.time() + self.life, uses_left=self.uses
        )
        return json_answer({"access_token": token, "expires_in": self.life, "token_type": "Bearer"})

    def _opened(self, assertion: str) -> dict[str, Any] | Answer:
        head, _, signature = assertion.rpartition(".")
        try:
            signed = self.key.verifies(head.encode(), _unb64(signature))
            claims = msgspec.json.decode(_unb64(head.partition(".")[2]), type=dict[str, Any])
        except (ValueError, msgspec.MsgspecError):
            return _no(400, "invalid_request", "Invalid JWT")
        if not signed or claims.get("iss") != self.account:
            return _no(400, "invalid_grant", "Invalid JWT Signature.")
        now = time.time()
        issued, ends = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(ends, int):
            return _no(400, "invalid_grant", "Invalid JWT: iat and exp are required.")
        if not issued - _LEEWAY <= now <= ends + _LEEWAY or not 0 < ends - issued <= 3_600:
            return _no(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        return claims

    def sign(self, asked: Asked, account: str) -> Answer:
        """The IAM service's ``signJwt``: signs for whoever may ask."""
        if asked.headers.get("authorization") != f"Bearer {self.source_token}":
            return _iam(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if account != self.account:
            text = "Permission 'iam.serviceAccounts.signJwt' denied on resource"
            return _iam(403, "PERMISSION_DENIED", text)
        payload = str(asked.data().get("payload", ""))
        header = json.dumps({"alg": "RS256", "typ": "JWT", "kid": "fake-key-1"}).encode()
        head = f"{_b64(header)}.{_b64(payload.encode())}"
        return json_answer(
            {"keyId": "fake-key-1", "signedJwt": f"{head}.{_b64(self.key.sign(head.encode()))}"}
        )

    # --- calls ------------------------------------------------------------------------------

    def allow(self, asked: Asked, method: Method) -> Answer | None:
        """``None`` when the caller may use the method."""
        header = asked.headers.get("authorization")
        if header is None:
            return None if self.anonymous else _unknown("Login Required.")
        issued = self._issued.get(header.removeprefix("Bearer "))
        if issued is None or issued.expires < time.time():
            return _unknown("Invalid Credentials")
        if issued.uses_left is not None:
            issued.uses_left -= 1
            if issued.uses_left < 0:
                return _unknown("Invalid Credentials")
        if issued.scopes.isdisjoint(method.scopes):
            wanted = " ".join(method.scopes)
            challenge = (
                'Bearer realm="https://accounts.google.com/", error="insufficient_scope", '
                f'scope="{wanted}"'
            )
            return directory_error(
                403,
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
                status="PERMISSION_DENIED",
                headers=(("WWW-Authenticate", challenge),),
            )
        return None


def _no(status: int, error: str, description: str) -> Answer:
    body = msgspec.json.encode({"error": error, "error_description": description})
    return Answer(status=status, body=body)


def _iam(code: int, status: str, message: str) -> Answer:
    envelope = {"error": {"code": code, "message": message, "status": status}}
    return Answer(status=code, body=msgspec.json.encode(envelope))


def _unknown(message: str) -> Answer:
    challenge = 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
    return directory_error(
        401,
        "authError",
        message,
        status="UNAUTHENTICATED",
        headers=(("WWW-Authenticate", challenge),),
    )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
