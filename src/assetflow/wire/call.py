"""What a connector says about the network: values, and never the network itself.

A read is a [`Listing`][assetflow.wire.Listing]: the first call, and a pure function that turns
an answer into a page and the next call. A write of several steps is a
[`Flow`][assetflow.wire.Flow]: a generator that yields calls and receives replies. Both run on
the sync and on the async driver, so a connector is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from attrs import Factory, evolve, field, frozen

from assetflow.errors import ConnectorError, InvalidValue
from assetflow.wire.redact import redact_headers, redact_params, redact_path, secret_header

__all__ = [
    "Call",
    "Classifier",
    "Flow",
    "Listing",
    "Page",
    "Problem",
    "Reply",
    "RetryWhen",
    "Verdict",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


def _by_method(call: Call) -> bool:
    return call.method in _IDEMPOTENT


@frozen(kw_only=True)
class Call:
    """One request to a vendor, as a value that can be stored and made again.

    It holds no credentials: the driver adds them. (The calls by which a
    [`TokenSource`][assetflow.wire.TokenSource] gets a token are the exception.) Its ``repr`` shows
    no query values, no header values beyond harmless ones, no body, so it may be logged.
    """

    method: str
    """Upper-case HTTP method."""
    path: str = field(repr=redact_path)
    """Path below the connector's base address, already percent-encoded, or a full address on the same host."""
    operation: str
    """The call's name in logs, errors and metrics, such as ``list-chromebooks``. Never an id."""
    params: tuple[tuple[str, str], ...] = field(default=(), repr=redact_params)
    """Query parameters in the order in which they are sent."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=redact_headers)
    """Extra headers; never credentials, but for the calls of a token source."""
    body: bytes | None = field(default=None, repr=False)
    """The body as it is sent."""
    content_type: str | None = None
    """The body's media type."""
    idempotent: bool = field(default=Factory(_by_method, takes_self=True))
    """Whether making the call twice leaves the same state as making it once."""
    bucket: str = "read"
    """The token bucket that the call draws from."""

    def with_params(self, **params: str | None) -> Call:
        """The same call with these parameters set; ``None`` takes one out."""
        kept = tuple((k, v) for k, v in self.params if k not in params)
        added = tuple((k, v) for k, v in params.items() if v is not None)
        return evolve(self, params=kept + added)

    def param(self, name: str) -> str | None:
        """The first value of a query parameter, if it is there."""
        return next((v for k, v in self.params if k == name), None)

    def as_dict(self) -> dict[str, object]:
        """The call as JSON-ready data, for a checkpoint.

        [`from_dict`][assetflow.wire.Call.from_dict] makes an equal call of it.

        Raises:
            InvalidValue: The call has a body, or a header that may hold credentials; neither
                belongs in a checkpoint.
        """
        if self.body is not None:
            raise InvalidValue("a call with a body is not a page of a listing")
        if any(secret_header(name) for name, _ in self.headers):
            raise InvalidValue("a call with credentials in its headers is not stored")
        return {
            "method": self.method,
            "path": self.path,
            "operation": self.operation,
            "params": [list(p) for p in self.params],
            "headers": [list(h) for h in self.headers],
            "idempotent": self.idempotent,
            "bucket": self.bucket,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Call:
        """The call that [`as_dict`][assetflow.wire.Call.as_dict] described."""
        pairs = {
            name: tuple((str(k), str(v)) for k, v in data.get(name, ()))  # type: ignore[attr-defined]  # our own JSON
            for name in ("params", "headers")
        }
        return cls(
            method=str(data["method"]),
            path=str(data["path"]),
            operation=str(data["operation"]),
            params=pairs["params"],
            headers=pairs["headers"],
            idempotent=bool(data["idempotent"]),
            bucket=str(data["bucket"]),
        )


@frozen(kw_only=True)
class Reply:
    """A complete answer: read to its end, inflated, within the byte cap."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Response headers, names in lower case."""
    body: bytes = field(repr=False)
    """The inflated body, a leading byte order mark removed."""
    request_id: str | None = None
    """The vendor's own id of the request, where it sends one."""
    elapsed: float = 0.0
    """Seconds from the first attempt to the end of the body."""


@frozen(kw_only=True)
class Problem:
    """A record that could not be read, without any of its values."""

    path: str
    """Where in the answer: ``chromeosdevices[17].lastSync``."""
    message: str
    """What was expected there."""
    record: str | None = None
    """The record's own id, when it could be read."""


def _no_raws() -> Sequence[bytes]:
    return ()


@frozen(kw_only=True)
class Page(Generic[T_co]):
    """One page of a listing."""

    items: Sequence[T_co]
    """The records that could be read, in the vendor's order."""
    following: Call | None = None
    """The call that fetches the next page; ``None`` on the last."""
    total: int | None = None
    """How many records the vendor says the whole listing has, if it says so."""
    problems: tuple[Problem, ...] = ()
    """The records that could not be read."""
    raws: Callable[[], Sequence[bytes]] = field(default=_no_raws, repr=False, eq=False)
    """Splits the page into the raw bytes of ``items``, one each, in the same order. Costly: called only when a record is new or changed."""


@frozen(kw_only=True)
class Listing(Generic[T_co]):
    """All records of one kind, page after page, as a value.

    It can be traversed any number of times, by either driver, from the start or from a page
    that a checkpoint remembers.
    """

    first: Call
    """The call that fetches the first page."""
    parse: Callable[[Call, bytes], Page[T_co]] = field(repr=False)
    """Turns the call that was made and the body of its answer into a page. Pure."""
    max_age: float | None = None
    """Seconds for which the vendor lets the listing live, from the first page on."""


Flow = Generator[Call, Reply, T]
"""A write of several steps: yields calls, receives replies, returns a result.

The driver throws only a [`ConnectorError`][assetflow.errors.ConnectorError] into it. It may not
yield in ``finally`` nor catch anything wider.
"""

RetryWhen = Literal["never", "idempotent", "always"]
"""``always`` is for answers that prove the call was not carried out, such as an exhausted quota."""


@frozen(kw_only=True)
class Verdict:
    """What an answer means: the error, and when the call may be made again."""

    error: ConnectorError
    """The typed error to raise when the call is not made again."""
    retry: RetryWhen = "never"
    """When the same call may be made again."""
    retry_after: float | None = None
    """Seconds that the vendor asks to wait."""
    refresh: bool = False
    """Whether a fresh token may help (once)."""
    amend: Call | None = None
    """A changed call to make instead, once: a smaller page, a work-around that the vendor needs."""
    pause: float | None = None
    """A fixed wait that this vendor error needs, instead of back-off."""


class Classifier(Protocol):
    """Tells a vendor's good answers from its bad ones. Pure."""

    def __call__(self, call: Call, reply: Reply, attempt: int, /) -> Verdict | None:
        """``None`` when the answer is good; *attempt* counts from 1."""
