"""What a driver was made with, and what it adds to an error that somebody else made."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import metadata

from attrs import frozen

from assetflow.errors import ConnectorError, InvalidValue
from assetflow.wire.address import Base
from assetflow.wire.buckets import TokenBucket
from assetflow.wire.call import Classifier
from assetflow.wire.hooks import Hooks
from assetflow.wire.policy import Limits, RetryPolicy

__all__ = ["REQUEST_ID_HEADERS", "Settings", "complete", "make_settings", "user_agent"]

REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-goog-request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-ms-request-id",
    "client-request-id",
    "x-correlation-id",
    "cf-ray",
)
"""Where vendors, and what stands before them, put their id of a request."""

_APP_ID = re.compile(r"[A-Za-z0-9._/+@: -]{1,100}")


@frozen(kw_only=True)
class Settings:
    """What a driver was made with, but for the client and the token source."""

    base: Base
    """Where its calls go."""
    connector: str
    """The connector's name, in errors and logs."""
    classify: Classifier
    """Judges answers."""
    limits: Limits
    """Bounds of one call."""
    retry: RetryPolicy
    """When to try again."""
    buckets: Mapping[str, TokenBucket]
    """How fast calls may go out, by the bucket that a call names."""
    hooks: Hooks
    """Who is told."""
    user_agent: str
    """The User-Agent header."""
    request_id_headers: tuple[str, ...]
    """Where the vendor puts its id of a request, lower case, the best first."""
    clock: Callable[[], float]
    """Seconds that never go back."""
    random: Callable[[], float]
    """A number from 0 up to, not including, 1."""


def make_settings(
    base_url: str,
    *,
    connector: str,
    classify: Classifier,
    limits: Limits | None,
    retry: RetryPolicy | None,
    buckets: Mapping[str, TokenBucket] | None,
    app_id: str | None,
    hooks: Hooks | None,
    request_id_headers: tuple[str, ...],
    clock: Callable[[], float],
    random: Callable[[], float],
) -> Settings:
    """The settings that a driver's arguments make, with the defaults filled in."""
    return Settings(
        base=Base(base_url),
        connector=connector,
        classify=classify,
        limits=limits or Limits(),
        retry=retry or RetryPolicy(),
        buckets=buckets or {},
        hooks=hooks or Hooks(),
        user_agent=user_agent(app_id),
        request_id_headers=tuple(name.lower() for name in request_id_headers),
        clock=clock,
        random=random,
    )


def complete(
    error: ConnectorError,
    *,
    connector: str,
    operation: str,
    status: int | None = None,
    request_id: str | None = None,
    attempts: int | None = None,
) -> ConnectorError:
    """Fill in what the one who made an error could not know. What it says already, stays."""
    error.connector = error.connector or connector
    error.operation = error.operation or operation
    error.status = error.status if error.status is not None else status
    error.request_id = error.request_id if error.request_id is not None else request_id
    known = {"attempts": attempts} if attempts is not None else {}
    error.context = {
        **known,
        **error.context,
        "connector": error.connector,
        "operation": error.operation,
        "status": error.status,
        "request_id": error.request_id,
    }
    return error


def user_agent(app_id: str | None) -> str:
    """The User-Agent header.

    It has the word *gzip* in it, since Google compresses only for clients that name it there.

    Args:
        app_id: Who runs the library, such as ``lincoln-portal/2.1``.

    Raises:
        InvalidValue: The id has characters that do not belong there, or more than 100.
    """
    if app_id is not None and not _APP_ID.fullmatch(app_id):
        raise InvalidValue("app_id is a short text of letters, digits and ._/+@:- only")
    about = "gzip" if app_id is None else f"{app_id}; gzip"
    return f"assetflow/{_version()} python/{platform.python_version()} ({about})"


@lru_cache(maxsize=1)
def _version() -> str:
    try:
        return metadata.version("assetflow-k12")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "0"
