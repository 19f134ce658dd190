"""Credentials for Google: a service account that acts as an admin of the district.

Both ways end in the same exchange (RFC 7523): a signed claim "this service account, acting as
this admin, asks for these scopes" against a token of an hour. With a key file the claim is signed
here; without one, Google's IAM service signs it for whoever may ask it to. The calls run through
the connector's own driver: same deadline, same TLS, same client.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import quote, urlencode

import msgspec

from assetflow.connectors.google.tokenfaults import classify_grant
from assetflow.errors import ConfigError, FileUnreadable, MissingExtra, PayloadError
from assetflow.wire import Call, Reply, Secret, Token, Verdict

if TYPE_CHECKING:
    from assetflow.wire import Flow

__all__ = ["READ_SCOPES", "Keyless", "ServiceAccount", "application_default"]

_AUTH = "https://www.googleapis.com/auth/"
READ_SCOPES = (
    f"{_AUTH}admin.directory.device.chromeos.readonly",
    f"{_AUTH}admin.directory.orgunit.readonly",
    f"{_AUTH}admin.directory.user.readonly",
)
"""What reading Chromebooks, org units and users needs. One scope that was not granted spoils the
whole token, so ask for no more than was granted."""

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
IAM_URL = "https://iamcredentials.googleapis.com"
CLOUD_SCOPE = f"{_AUTH}cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = 3_600
# Google refuses a claim from the future; ten seconds forgive a clock that is a little ahead.
_BACKDATE = 10


class _Signer(Protocol):
    def sign(self, message: bytes) -> bytes: ...


class _Grant(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float | None = None


class _Signed(msgspec.Struct, frozen=True, rename="camel"):
    signed_jwt: str


def _claims(account: str, subject: str, scopes: Sequence[str], token_uri: str, now: float) -> bytes:
    issued = int(now) - _BACKDATE
    claims = {
        "iss": account,
        "sub": subject,
        "scope": " ".join(scopes),
        "aud": token_uri,
        "iat": issued,
        "exp": issued + _LIFE,
    }
    return json.dumps(claims, separators=(",", ":")).encode()


def _exchange(token_uri: str, assertion: str) -> Call:
    form = urlencode({"grant_type": _GRANT, "assertion": assertion})
    return Call(
        method="POST",
        path=token_uri,
        operation="get-token",
        body=form.encode(),
        content_type="application/x-www-form-urlencoded",
        idempotent=True,
    )


def _token(reply: Reply) -> Token:
    try:
        grant = msgspec.json.decode(reply.body, type=_Grant, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise PayloadError("the token endpoint gave no token", problems=("$",)) from None
    return Token(value=Secret(grant.access_token), expires_in=grant.expires_in)


def _checked(subject: str, scopes: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    if "@" not in subject:
        raise ConfigError(
            "the subject is the e-mail address of an admin of the district",
            hint="Name the admin as whom the service account reads, such as it@lincoln.example.",
        )
    if isinstance(scopes, str) or not scopes:
        raise ConfigError("scopes is a list of one or more scopes")
    return subject, tuple(scopes)


class ServiceAccount:
    """A service account's key with domain-wide delegation.

    Args:
        info: The key file's content, as read from its JSON.
        subject: The admin of the district as whom it acts, by e-mail address.
        scopes: What to ask for; each must be granted in the admin console.
        clock: Seconds since 1970.

    Raises:
        MissingExtra: google-auth, which signs, is not installed.
        ConfigError: The key is not a service account's, or cannot be used.
    """

    def __init__(
        self,
        info: Mapping[str, object],
        *,
        subject: str,
        scopes: Sequence[str] = READ_SCOPES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._subject, self._scopes = _checked(subject, scopes)
        if info.get("type") != "service_account" or not info.get("client_email"):
            raise ConfigError(
                "the key is not that of a service account",
                hint="Cloud console > IAM > Service accounts > Keys > Add key > JSON.",
            )
        self._account = str(info["client_email"])
        self._client_id = str(info.get("client_id") or "")
        self._key_id = str(info.get("private_key_id") or "")
        self._token_uri = str(info.get("token_uri") or TOKEN_URI)
        self._signer = _make_signer(info)
        self._clock = clock

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        subject: str,
        scopes: Sequence[str] = READ_SCOPES,
    ) -> ServiceAccount:
        """A service account from the JSON file that the Cloud console gave.

        On Unix a file that others may read is refused: whoever reads it can act as the admin.

        Args:
            path: The file.
            subject: The admin of the district as whom it acts, by e-mail address.
            scopes: What to ask for.

        Raises:
            FileUnreadable: The file is not there or no JSON.
            ConfigError: Others may read it, or it is no service account's key.
        """
        file = Path(path)
        try:
            mode = file.stat().st_mode
            content = file.read_bytes()
        except OSError as error:
            raise FileUnreadable(
                "the service account's key file cannot be read",
                hint="Check ASSETFLOW_GOOGLE_KEY_FILE and who owns the file.",
                errno=error.errno,
            ) from None
        if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
            raise ConfigError(
                "other accounts of this machine may read the service account's key",
                hint=f"Run: chmod 600 {file.name}",
            )
        try:
            info = msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise FileUnreadable("the service account's key file is no JSON object") from None
        return cls(info, subject=subject, scopes=scopes)

    def __repr__(self) -> str:
        return f"ServiceAccount({self._account!r}, scopes={len(self._scopes)})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a service account's key is not pickled")

    @property
    def client_id(self) -> str:
        """The number by which the admin console knows the service account."""
        return self._client_id

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for."""
        return self._scopes

    def fetch(self) -> Flow[Token]:
        """Sign a claim and exchange it for a token of an hour."""
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        claims = _claims(self._account, self._subject, self._scopes, self._token_uri, self._clock())
        signed = b".".join((_b64(json.dumps(header).encode()), _b64(claims)))
        assertion = b".".join((signed, _b64(self._signer.sign(signed)))).decode("ascii")
        reply = yield _exchange(self._token_uri, assertion)
        return _token(reply)

    def classify(self, call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
        """Judge an answer of the token endpoint."""
        return classify_grant(call, reply, attempt, client_id=self._client_id, scopes=self._scopes)


class Keyless:
    """A service account without a key: Google's IAM service signs for it.

    Needs the *IAM Service Account Credentials API* in the Cloud project, and for whoever
    *source* belongs to the role *Service Account Token Creator* on the service account.

    Args:
        account: The service account's e-mail address.
        subject: The admin of the district as whom it acts, by e-mail address.
        source: Gives an access token with the scope ``cloud-platform``, such as
            [`application_default`][assetflow.connectors.google.application_default]. It is asked
            about once an hour and may take a moment; in an event loop it should answer at once.
        scopes: What to ask for; each must be granted in the admin console.
        clock: Seconds since 1970.
        iam_url: Where the IAM service is.
        token_uri: Where tokens are given out.
    """

    def __init__(
        self,
        account: str,
        *,
        subject: str,
        source: Callable[[], str | Secret],
        scopes: Sequence[str] = READ_SCOPES,
        clock: Callable[[], float] = time.time,
        iam_url: str = IAM_URL,
        token_uri: str = TOKEN_URI,
    ) -> None:
        self._subject, self._scopes = _checked(subject, scopes)
        if "@" not in account:
            raise ConfigError("the service account is named by its e-mail address")
        self._account = account
        self._source = source
        self._clock = clock
        self._iam_url = iam_url.rstrip("/")
        self._token_uri = token_uri

    def __repr__(self) -> str:
        return f"Keyless({self._account!r}, scopes={len(self._scopes)})"

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for."""
        return self._scopes

    def fetch(self) -> Flow[Token]:
        """Have a claim signed and exchange it for a token of an hour."""
        bearer = self._source()
        revealed = bearer.reveal() if isinstance(bearer, Secret) else bearer
        claims = _claims(self._account, self._subject, self._scopes, self._token_uri, self._clock())
        account = quote(self._account, safe="")
        signed = yield Call(
            method="POST",
            path=f"{self._iam_url}/v1/projects/-/serviceAccounts/{account}:signJwt",
            operation="sign-claim",
            headers=(("Authorization", f"Bearer {revealed}"),),
            body=json.dumps({"payload": claims.decode()}).encode(),
            content_type="application/json",
            idempotent=True,
        )
        try:
            assertion = msgspec.json.decode(signed.body, type=_Signed).signed_jwt
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise PayloadError("the IAM service gave no signed claim", problems=("$",)) from None
        reply = yield _exchange(self._token_uri, assertion)
        return _token(reply)

    def classify(self, call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
        """Judge an answer of the IAM service or of the token endpoint."""
        return classify_grant(call, reply, attempt, client_id="", scopes=self._scopes)


def application_default() -> Callable[[], Secret]:
    """Google's application default credentials as a source for [`Keyless`][assetflow.connectors.google.Keyless].

    What google-auth finds in the environment: workload identity federation, a metadata server,
    the gcloud command's log-in. Its refresh does its own I/O, by the standard library, about
    once an hour.

    Raises:
        MissingExtra: google-auth is not installed.
        ConfigError: There are no such credentials here.
    """
    try:
        import google.auth  # noqa: PLC0415 - an extra
        from google.auth import exceptions  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("google", needs="google-auth") from None
    from assetflow.connectors.google.adc import Transport  # noqa: PLC0415 - needs google-auth

    try:
        credentials, _project = google.auth.default(scopes=[CLOUD_SCOPE])
    except exceptions.GoogleAuthError:
        raise ConfigError(
            "there are no application default credentials here",
            hint="Run: gcloud auth application-default login",
        ) from None
    transport = Transport()

    def current() -> Secret:
        if not credentials.valid:
            credentials.refresh(transport)  # type: ignore[no-untyped-call]
        return Secret(str(credentials.token))

    return current


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _make_signer(info: Mapping[str, object]) -> _Signer:
    try:
        from google.auth import crypt  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("google", needs="google-auth") from None
    try:
        signer: _Signer | None = crypt.RSASigner.from_service_account_info(info)  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001 - each library behind it raises its own, with the key in it
        signer = None
    if signer is None:
        raise ConfigError(
            "the service account's private key cannot be used",
            hint="Make a new key in the Cloud console; do not edit the file.",
        )
    return signer
