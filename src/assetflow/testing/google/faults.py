"""What goes wrong at Google, one by one: each fault by the name that ``--fault`` takes.

A fault looks at requests before they are handled, at pages of devices before they are sent, or
only sets the server up. All are deterministic: they count, they do not roll dice.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from assetflow.testing.google.answers import Answer, Asked, directory_error, web_page

if TYPE_CHECKING:
    from assetflow.testing.google.directory import DraftPage
    from assetflow.testing.google.server import FakeGoogle

__all__ = ["FAULTS", "Fault"]

_LIST = "/devices/chromeos"


class Fault:
    """Nothing goes wrong; each fault overrides what it needs."""

    def set_up(self, fake: FakeGoogle) -> None:
        """Change the server before it starts."""

    def on_request(self, asked: Asked) -> Answer | None:
        """Answer a call of the Directory API instead of the server."""
        del asked
        return None

    def on_page(self, page: DraftPage) -> Answer | None:
        """Change a page of devices, or answer instead."""
        del page
        return None

    def on_body(self, asked: Asked, body: bytes) -> bytes:
        """Change the bytes of an answer."""
        del asked
        return body


class _Rounds(Fault):
    """Refuses a few requests of each round."""

    every = 5
    answers: tuple[Callable[[], Answer], ...] = ()

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def on_request(self, asked: Asked) -> Answer | None:
        """The first requests of a round are served, the last ones are not."""
        del asked
        place = next(self._numbers) % self.every - (self.every - len(self.answers))
        return self.answers[place]() if place >= 0 else None


class _Quota(_Rounds):
    """Quotas: the per-user one with 403, the concurrency one with 429, as plain text too."""

    answers = (
        lambda: directory_error(
            403, "userRateLimitExceeded", "Request rate higher than configured.",
            domain="usageLimits",
        ),
        lambda: Answer(
            status=429,
            body=b"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user'",
            content_type="text/plain",
        ),
    )  # fmt: skip


class _Unavailable(_Rounds):
    """Failures that pass: of the service, of what it stands on, of a gateway before it."""

    every = 7
    answers = (
        lambda: directory_error(
            503, "backendError", "The service is currently unavailable.", status="UNAVAILABLE"
        ),
        lambda: directory_error(500, "backendError", "Backend Error"),
        lambda: web_page(502, "502 Bad Gateway"),
    )


class _TokenExpired(Fault):
    """A token is refused after five calls, long before its end."""

    def set_up(self, fake: FakeGoogle) -> None:
        fake.gate.uses = 5


class _PageSize(Fault):
    """Pages hold 200 devices at most, as for some customers."""

    def set_up(self, fake: FakeGoogle) -> None:
        fake.directory.page_cap = 200


class _Scope(Fault):
    """Only devices are granted: users and org units are refused for want of a scope."""

    def on_request(self, asked: Asked) -> Answer | None:
        if _LIST in asked.path:
            return None
        challenge = 'Bearer error="insufficient_scope", scope="https://www.googleapis.com/auth/admin.directory.orgunit.readonly"'
        return directory_error(
            403,
            "insufficientPermissions",
            "Request had insufficient authentication scopes.",
            headers=(("WWW-Authenticate", challenge),),
        )


class _PageRepeat(Fault):
    """The second page names itself as the next one."""

    def on_page(self, page: DraftPage) -> Answer | None:
        if page.token is not None and page.asked is not None:
            page.token = page.asked
        return None


class _Truncated(Fault):
    """The second page of a listing comes empty; one of a single page lacks its last record."""

    def on_page(self, page: DraftPage) -> Answer | None:
        if page.number == 2:
            page.records.clear()
        elif page.number == 1 and page.token is None:
            del page.records[-1:]
        return None


class _Garbage(Fault):
    """The second page of each listing is cut off in the middle of a record."""

    def on_page(self, page: DraftPage) -> Answer | None:
        if page.number != 2:
            return None
        body = b'{"chromeosdevices":[%b' % b",".join(page.records)
        return Answer(status=200, body=body[:-20])


class _HtmlProxy(Fault):
    """From the third call on, a content filter answers with its page."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def on_request(self, asked: Asked) -> Answer | None:
        del asked
        return web_page(200, "Sign in to the network") if next(self._numbers) >= 3 else None


class _Slow(Fault):
    """Each answer takes two seconds."""

    def set_up(self, fake: FakeGoogle) -> None:
        fake.latency = max(fake.latency, 2.0)


class _Hang(Fault):
    """A listing of devices is never answered."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def set_up(self, fake: FakeGoogle) -> None:
        fake.on_close(self._stop.set)

    def on_request(self, asked: Asked) -> Answer | None:
        if asked.path.endswith(_LIST):
            self._stop.wait()
        return None


class _Duplicate(Fault):
    """Each page begins with the last record of the page before."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    def on_page(self, page: DraftPage) -> Answer | None:
        before = self._last.get(page.listing)
        if page.records:
            self._last[page.listing] = page.records[-1]
        if page.number > 1 and before is not None:
            page.records.insert(0, before)
        return None


class _Moved(Fault):
    """After the first page a device moves on to an org unit that is read later, and is seen twice."""

    def __init__(self) -> None:
        self._fake: FakeGoogle | None = None

    def set_up(self, fake: FakeGoogle) -> None:
        self._fake = fake

    def on_page(self, page: DraftPage) -> Answer | None:
        fake = self._fake
        if fake is None or not page.records:
            return None
        self._fake = None
        first = msgspec.json.decode(page.records[0])
        index = fake.fleet.find(str(first.get("deviceId")))
        if index is not None:
            fake.fleet.move([index], fake.fleet.org_units[-1])
        return None


class _Expired(Fault):
    """A listing ends after its first page as after 60 minutes; begun again it goes on."""

    def on_page(self, page: DraftPage) -> Answer | None:
        if page.number > 1 and page.turn == 1:
            return directory_error(503, "backendError", "Service unavailable. Please try again")
        return None


class _TokenGlitch(Fault):
    """Each further page is refused once as invalid input; the same token is good after that."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def on_request(self, asked: Asked) -> Answer | None:
        token = asked.params.get("pageToken")
        if token is None or token in self._seen:
            return None
        self._seen.add(token)
        return directory_error(400, "invalidInput", f"Invalid Input: {token}")


class _Records(Fault):
    """Changes some records of each page."""

    def on_page(self, page: DraftPage) -> Answer | None:
        for place in range(0, len(page.records), 25):
            record = msgspec.json.decode(page.records[place])
            page.records[place] = msgspec.json.encode(self.spoil(record, place // 25))
        return None

    def spoil(self, record: dict[str, Any], number: int) -> Any:
        """The record as it is sent instead."""
        raise NotImplementedError


class _BadRecord(_Records):
    """Some records are not as documented: wrong shapes, no id, no record at all."""

    def spoil(self, record: dict[str, Any], number: int) -> Any:
        ways: tuple[Callable[[], Any], ...] = (
            lambda: {**record, "lastSync": {"seconds": 1}},
            lambda: {name: value for name, value in record.items() if name != "deviceId"},
            lambda: None,
            lambda: {**record, "serialNumber": [record.get("serialNumber")]},
        )
        return ways[number % len(ways)]()


class _NullSerial(_Records):
    """Some devices have no serial number, and say so in several ways."""

    def spoil(self, record: dict[str, Any], number: int) -> Any:
        return {**record, "serialNumber": (None, "", "System Serial Number", "0")[number % 4]}


class _OddTypes(_Records):
    """Some records have numbers for texts, texts for numbers, and objects for lists."""

    def spoil(self, record: dict[str, Any], number: int) -> Any:
        ways: tuple[dict[str, Any], ...] = (
            {"annotatedAssetId": 12345667890, "systemRamTotal": ""},
            {"recentUsers": None, "diskSpaceUsage": None},
            {"recentUsers": {"type": "USER_TYPE_MANAGED", "email": "one@lincoln.example"}},
            {"extendedSupportEligible": "true", "autoUpdateThrough": "4102444800000"},
        )
        return {**record, **ways[number % len(ways)]}


class _HalfCharacter(Fault):
    """One page holds half of a surrogate pair and a control character, which is no JSON."""

    def on_body(self, asked: Asked, body: bytes) -> bytes:
        if not asked.path.endswith(_LIST):
            return body
        return body.replace(b'"Screen replaced"', b'"Screen \\ud83d \x01replaced"')


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "bad-record": _BadRecord,
    "duplicate-device": _Duplicate,
    "expired-listing": _Expired,
    "garbage-page": _Garbage,
    "half-character": _HalfCharacter,
    "hang": _Hang,
    "html-proxy": _HtmlProxy,
    "missing-scope": _Scope,
    "moved-device": _Moved,
    "null-serial": _NullSerial,
    "odd-types": _OddTypes,
    "page-repeat": _PageRepeat,
    "page-size-200": _PageSize,
    "quota": _Quota,
    "slow": _Slow,
    "token-expired": _TokenExpired,
    "token-glitch": _TokenGlitch,
    "truncated-listing": _Truncated,
    "unavailable": _Unavailable,
}
"""Every fault by its name."""
