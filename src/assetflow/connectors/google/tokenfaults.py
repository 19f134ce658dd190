"""What a refused token means, and what to do in which console. Pure.

The token endpoint says with a code and a sentence why there is no token; the sentences are
Google's own, gathered by the authors of GAM. What they come to is nearly always a setting.
"""

from __future__ import annotations

from collections.abc import Sequence

from assetflow.connectors.google.classify import Fault, classify, read_fault
from assetflow.errors import AuthError, ConnectorError, PermissionDenied, TransientError
from assetflow.wire import Call, Reply, Verdict, wait_asked

__all__ = ["classify_grant"]

_KEY = (
    "Google does not accept the service account's key",
    "The key was deleted or belongs to another account: make a new one in the Cloud console.",
)
_CLOCK = (
    "Google does not accept the claim's times",
    "Set this machine's clock: it may be off by no more than a few minutes.",
)
_SUBJECT = (
    "Google does not know the admin as whom the service account acts",
    "Check ASSETFLOW_GOOGLE_SUBJECT: the address of an admin of this domain, not an alias.",
)
_TRANSIENT = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})


def classify_grant(
    call: Call, reply: Reply, attempt: int, /, *, client_id: str, scopes: Sequence[str]
) -> Verdict | None:
    """Judge an answer on the way to a token.

    | answer | error |
    |---|---|
    | ``unauthorized_client`` | PermissionDenied: the client id and the scopes to grant to it |
    | ``invalid_grant`` on ``iat`` or ``exp`` | AuthError: this machine's clock |
    | ``invalid_grant`` on the signature or the issuer | AuthError: the key was deleted |
    | ``invalid_grant``, ``invalid_request`` on the e-mail | AuthError: the subject |
    | ``access_denied`` | PermissionDenied |
    | ``internal_failure``, 5xx, quota | made again: asking twice does no harm |

    Args:
        call: The call that was made.
        reply: Its answer.
        attempt: The attempt, counted from 1.
        client_id: The service account's number in the admin console, where it is known.
        scopes: What was asked for.
    """
    verdict = classify(call, reply, attempt)
    if verdict is None:
        return None
    fault = read_fault(reply)
    if fault.codes & _TRANSIENT or "backend error" in fault.message:
        error: ConnectorError = TransientError("the token endpoint failed")
        return Verdict(error=error, retry="always", retry_after=wait_asked(reply.headers))
    if call.operation == "sign-claim":
        return _on_signing(fault, verdict)
    refusal = _refusal(fault, client_id, scopes)
    return verdict if refusal is None else Verdict(error=refusal)


def _on_signing(fault: Fault, verdict: Verdict) -> Verdict:
    if fault.status == 401:
        return Verdict(
            error=AuthError(
                "the IAM service did not accept the source credentials",
                hint="Log in again: gcloud auth application-default login",
            )
        )
    if isinstance(verdict.error, PermissionDenied) or fault.status == 404:
        return Verdict(
            error=PermissionDenied(
                "the source credentials may not sign for the service account",
                hint="Grant them the role Service Account Token Creator on the service account, "
                "and switch on the IAM Service Account Credentials API.",
            )
        )
    return verdict


def _refusal(fault: Fault, client_id: str, scopes: Sequence[str]) -> ConnectorError | None:
    code = next(iter(sorted(fault.codes)), "")
    said = fault.message
    if code == "unauthorized_client" or "requested client not authorized" in said:
        return PermissionDenied(
            "the service account may not act as an admin with these scopes",
            hint=_delegation(client_id, scopes),
            reason=code,
            client_id=client_id or None,
            scopes=tuple(scopes),
        )
    if code in {"invalid_grant", "invalid_request"}:
        message, hint = _why(said)
        return AuthError(message, hint=hint, reason=code)
    if code == "access_denied":
        return PermissionDenied(
            "the admin's account may not be acted as",
            hint="Look at the admin account: it may be restricted, suspended or in another customer.",
            reason=code,
        )
    if code in {"invalid_client", "deleted_client", "disabled_client"}:
        return AuthError(_KEY[0], hint=_KEY[1], reason=code)
    if code == "invalid_scope":
        return PermissionDenied(
            "a scope that was asked for does not exist",
            hint="Correct the scopes: " + " ".join(scopes),
            reason=code,
        )
    return None


def _delegation(client_id: str, scopes: Sequence[str]) -> str:
    who = f"client id {client_id}" if client_id else "the service account's client id"
    return (
        "Admin console > Security > Access and data control > API controls > Domain-wide "
        f"delegation: add {who} with exactly these scopes: {','.join(scopes)}. "
        "It can take up to a day to hold."
    )


def _why(said: str) -> tuple[str, str]:
    """What an ``invalid_grant`` is about, from Google's sentence."""
    if "iat" in said.split() or "reasonable timeframe" in said or "expir" in said:
        return _CLOCK
    if "signature" in said or "verifier" in said or "issuer" in said or "key" in said:
        return _KEY
    return _SUBJECT
