"""Identifiers: opaque text, made by the client, sortable by the time they were made."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

from assetflow.errors import InvalidValue

__all__ = [
    "ActorId",
    "BatchId",
    "CustodyId",
    "DeviceId",
    "DistrictId",
    "ModelId",
    "NewId",
    "PersonId",
    "PlaceId",
    "RunId",
    "uuid7",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

DistrictId = NewType("DistrictId", str)
"""A district's id, chosen by its people: lower-case letters, digits and hyphens, such as ``lincoln``."""
DeviceId = NewType("DeviceId", str)
"""A device's id within its district."""
ModelId = NewType("ModelId", str)
"""A device model's id."""
PersonId = NewType("PersonId", str)
"""A person's id: opaque, never the student number."""
PlaceId = NewType("PlaceId", str)
"""A place's id."""
CustodyId = NewType("CustodyId", str)
"""The id of one stay of a device with somebody."""
ActorId = NewType("ActorId", str)
"""Who acts: an opaque id whose label is an erasable row."""
BatchId = NewType("BatchId", str)
"""What belongs together: one pull, one import, one scan session."""
RunId = NewType("RunId", str)
"""One pull."""

NewId = Callable[[], str]
"""Makes the next id. Passed in, so that a test or a replay can say which."""


def uuid7(at: datetime, entropy: bytes) -> str:
    """A UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then randomness.

    Args:
        at: The time it carries, with a time zone.
        entropy: Ten random bytes.

    Returns:
        36 characters, lower case.

    Raises:
        InvalidValue: a time without a zone or before 1970, or too few bytes.
    """
    if at.tzinfo is None or at < _EPOCH or len(entropy) < 10:
        msg = "an id needs a time since 1970 with its zone, and ten random bytes"
        raise InvalidValue(msg)
    # Whole division: a float of seconds may fall a millisecond short.
    milliseconds = (at - _EPOCH) // _MILLISECOND
    noise = int.from_bytes(entropy[:10], "big")
    value = (milliseconds << 80) | (0x7 << 76) | (((noise >> 62) & 0xFFF) << 64)
    value |= (0b10 << 62) | (noise & 0x3FFF_FFFF_FFFF_FFFF)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
