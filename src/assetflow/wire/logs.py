"""The wire's logger, and the filter that keeps the HTTP library quiet about our calls.

httpx writes the whole address at INFO, httpcore the headers at DEBUG. Other code in the same
process may want that for its own calls, so the filter drops only what is written during ours.
Importing this configures nothing: the one handler is a ``NullHandler``.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextvars import Token as ContextToken

__all__ = ["OurCall", "install_filter", "logger"]

logging.getLogger("assetflow").addHandler(logging.NullHandler())
logger: logging.Logger = logging.getLogger("assetflow.wire")

_OURS: ContextVar[bool] = ContextVar("assetflow_call", default=False)
# A filter on a logger does not see what its children write, so each is named.
_NOISY = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)


class _NotDuringOurCalls(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the place decides, not the record
        return not _OURS.get()


_FILTER = _NotDuringOurCalls()


def install_filter() -> None:
    """Put the filter on the HTTP library's loggers; once is enough, twice does no harm."""
    for name in _NOISY:
        logging.getLogger(name).addFilter(_FILTER)


class OurCall:
    """Marks, as a context manager, that the HTTP library works for us."""

    __slots__ = ("_before",)

    _before: ContextToken[bool]

    def __enter__(self) -> None:
        self._before = _OURS.set(True)

    def __exit__(self, *_exc: object) -> None:
        _OURS.reset(self._before)
