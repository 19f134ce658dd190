"""The Directory API's methods on a fleet. No network: a request comes in, an answer goes out."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from attrs import define

from assetflow.testing.google import masks
from assetflow.testing.google.answers import (
    Answer,
    Asked,
    Refused,
    directory_error,
    empty,
    json_answer,
)
from assetflow.testing.google.contract import (
    BASIC_DEVICE,
    COMMON,
    DEVICE,
    ORG_UNIT,
    USER,
    WRITABLE_DEVICE,
    Kind,
    Method,
    Number,
    find_method,
)
from assetflow.testing.google.queries import matcher
from assetflow.testing.google.tokens import PageToken, digest

if TYPE_CHECKING:
    from assetflow.testing.google.fleet import Fleet

__all__ = ["Directory", "DraftPage"]

LISTING_LIFE = 3_600.0
_MOVE_MOST = 50


@define(kw_only=True)
class DraftPage:
    """A page of devices before it is sent, so that a fault can still change it."""

    records: list[bytes]
    """Its records as JSON."""
    token: PageToken | None
    """Where the listing goes on."""
    number: int
    """The page's number, from 1."""
    turn: int
    """How often this listing was begun, this time included."""
    listing: str
    """Which listing it belongs to."""
    asked: PageToken | None
    """The token with which it was asked for."""


class Directory:
    """The methods of the Directory API on one customer.

    Args:
        fleet: What the customer has.
        page_cap: Devices on a page at most: 300 as documented, 200 as some customers met.
        listing_life: Seconds after which a listing of devices no longer goes on.
    """

    def __init__(
        self, fleet: Fleet, *, page_cap: int = 300, listing_life: float = LISTING_LIFE
    ) -> None:
        self.fleet = fleet
        self.page_cap = page_cap
        self.listing_life = listing_life
        self.on_page: Callable[[DraftPage], Answer | None] = lambda _page: None
        """Told of each page of devices before it is sent; may change it or answer instead."""
        self._turns: dict[str, int] = {}
        self._handlers: dict[str, Callable[[Asked, Mapping[str, str]], Answer]] = {
            "chromeosdevices.get": self._get_device,
            "chromeosdevices.list": self._list_devices,
            "chromeosdevices.moveDevicesToOu": self._move,
            "chromeosdevices.patch": self._change,
            "chromeosdevices.update": self._change,
            "customer.devices.chromeos.countChromeOsDevices": self._count,
            "orgunits.get": self._get_unit,
            "orgunits.list": self._list_units,
            "users.get": self._get_user,
            "users.list": self._list_users,
        }

    def handle(self, asked: Asked, allow: Callable[[Method], Answer | None]) -> Answer:
        """Answer a request.

        Args:
            asked: The request.
            allow: Judges whether the caller may use the method; its answer goes out if not.
        """
        found = find_method(asked.method, asked.path)
        if found is None:
            return directory_error(404, "notFound", "Not Found")
        method, varying = found
        refused = allow(method)
        if refused is not None:
            return refused
        try:
            _check_params(method, asked.params)
            values = {name: unquote(value) for name, value in varying.items()}
            self._check_customer(values.get("customerId", asked.params.get("customer")))
            return self._handlers[method.name](asked, values)
        except Refused as refusal:
            return refusal.answer

    def warm(self, fields: str, projection: str = "FULL") -> None:
        """Encode every device under a mask now, so that no page has to; for benchmarks.

        Args:
            fields: The mask, as it will be sent.
            projection: The projection, as it will be sent.
        """
        text, shape = _device_shape(fields, projection)
        if shape is not None:
            for index in range(len(self.fleet)):
                self.fleet.encoded(index, text, shape)

    def _check_customer(self, customer: str | None) -> None:
        if customer not in {None, "my_customer", self.fleet.customer}:
            raise Refused(directory_error(404, "notFound", "Resource Not Found: customerId"))

    # --- devices ----------------------------------------------------------------------------

    def _list_devices(self, asked: Asked, _values: Mapping[str, str]) -> Answer:
        params = asked.params
        size = int(params.get("maxResults", "100"))
        if size > self.page_cap:
            text = f"Invalid value '{size}'. Values must be within the range: [1, {self.page_cap}]"
            raise Refused(directory_error(400, "invalidParameter", text))
        if "sortOrder" in params and "orderBy" not in params:
            raise Refused(directory_error(400, "invalid", "sortOrder needs orderBy"))
        listing = digest("chromeosdevices.list", {**params, "path": asked.path})
        token = self._read_token(params.get("pageToken"), listing)
        if token is not None and token.age() > self.listing_life:
            raise Refused(_expired())
        with self.fleet.lock:
            members = self._selected(params.get("query"), params)
        if "orderBy" in params:
            members = self._ordered(members, params)
        begin = self._position(members, token, ordered="orderBy" in params)
        chosen = members[begin : begin + size]
        more = begin + size < len(members)
        turn = token.turn if token is not None else self._turns.get(listing, 0) + 1
        if token is None:
            self._turns[listing] = turn
        page = DraftPage(
            records=self._records(chosen, params),
            number=1 if token is None else token.page + 1,
            turn=turn,
            token=None,
            listing=listing,
            asked=token,
        )
        if more:
            page.token = PageToken(
                listing=listing,
                after=begin + size - 1 if "orderBy" in params else chosen[-1],
                page=page.number,
                begun=time.time() if token is None else token.begun,
                turn=turn,
            )
        instead = self.on_page(page)
        return instead or self._device_page(page, params)

    def _records(self, chosen: Sequence[int], params: Mapping[str, str]) -> list[bytes]:
        text, shape = _device_shape(params.get("fields"), params.get("projection", "BASIC"))
        if shape is None:
            return []
        encoded = self.fleet.encoded
        return [encoded(index, text, shape) for index in chosen]

    def _device_page(self, page: DraftPage, params: Mapping[str, str]) -> Answer:
        mask = _mask(params, {"kind", "etag", "chromeosdevices", "nextPageToken"})
        parts = []
        if _wants(mask, "kind"):
            parts.append(b'"kind":"admin#directory#chromeosdevices"')
        if _wants(mask, "etag"):
            parts.append(b'"etag":"\\"%d-%d\\""' % (self.fleet.version, page.number))
        # An empty page has no list at all.
        if page.records and _wants(mask, "chromeosdevices"):
            parts.append(b'"chromeosdevices":[%b]' % b",".join(page.records))
        if page.token is not None and _wants(mask, "nextPageToken"):
            parts.append(b'"nextPageToken":"%b"' % page.token.text().encode())
        body = b"{%b}" % b",".join(parts)
        if params.get("prettyPrint", "true") == "true":
            body = msgspec.json.format(body, indent=1)
        return Answer(status=200, body=body)

    def _selected(self, query: str | None, params: Mapping[str, str]) -> Sequence[int]:
        name = params.get("orgUnitPath")
        below = params.get("includeChildOrgunits", "false") == "true"
        if name is None:
            if "includeChildOrgunits" in params:
                text = "includeChildOrgunits needs orgUnitPath"
                raise Refused(directory_error(400, "invalid", text))
            members: Sequence[int] = range(len(self.fleet))
        else:
            members = self.fleet.members(self._unit(name), below=below)
        if not query:
            return members
        test = matcher(query)
        return [index for index in members if test(self.fleet.device(index))]

    def _ordered(self, members: Sequence[int], params: Mapping[str, str]) -> Sequence[int]:
        field = params["orderBy"]
        down = params.get("sortOrder") == "DESCENDING"
        return sorted(
            members, key=lambda i: str(self.fleet.device(i).get(field) or ""), reverse=down
        )

    def _position(self, members: Sequence[int], token: PageToken | None, *, ordered: bool) -> int:
        if token is None:
            return 0
        return token.after + 1 if ordered else bisect_right(members, token.after)

    def _read_token(self, text: str | None, listing: str) -> PageToken | None:
        if text is None:
            return None
        token = PageToken.read(text)
        if token is None or token.listing != listing:
            raise Refused(directory_error(400, "invalidInput", f"Invalid Input: {text}"))
        return token

    def _count(self, asked: Asked, _values: Mapping[str, str]) -> Answer:
        with self.fleet.lock:
            count = len(self._selected(asked.params.get("filter"), asked.params))
        return self._plain({"count": str(count)}, asked.params, {"count"})

    def _get_device(self, asked: Asked, values: Mapping[str, str]) -> Answer:
        index = self._device(values["deviceId"])
        return self._one_device(index, asked.params)

    def _one_device(self, index: int, params: Mapping[str, str]) -> Answer:
        device = self.fleet.device(index)
        if params.get("projection", "BASIC") == "BASIC":
            device = {name: value for name, value in device.items() if name in BASIC_DEVICE}
        return self._plain(device, params, DEVICE)

    def _device(self, device_id: str) -> int:
        index = self.fleet.find(device_id)
        if index is None:
            text = "Resource Not Found: deviceId"
            raise Refused(directory_error(404, "resourceNotFound", text))
        return index

    def _move(self, asked: Asked, _values: Mapping[str, str]) -> Answer:
        ids = asked.data().get("deviceIds")
        if not isinstance(ids, list) or not 0 < len(ids) <= _MOVE_MOST:
            text = f"deviceIds must hold 1 to {_MOVE_MOST} ids"
            raise Refused(directory_error(400, "invalid", text))
        if "orgUnitPath" not in asked.params:
            raise Refused(directory_error(400, "required", "Required parameter: orgUnitPath"))
        target = self._unit(asked.params["orgUnitPath"])
        # All or nothing, and no word on which one was wrong.
        self.fleet.move([self._device(str(found)) for found in ids], target)
        return empty()

    def _change(self, asked: Asked, values: Mapping[str, str]) -> Answer:
        index = self._device(values["deviceId"])
        body = asked.data()
        unknown = sorted(set(body) - DEVICE)
        if unknown:
            raise Refused(_unknown_name(unknown[0]))
        target = body.get("orgUnitId") or body.get("orgUnitPath")
        if target is not None:
            self.fleet.move([index], self._unit(str(target)))
        fields = WRITABLE_DEVICE - {"orgUnitId", "orgUnitPath"}
        self.fleet.change(index, **{name: body[name] for name in fields if name in body})
        return self._one_device(index, asked.params)

    # --- org units --------------------------------------------------------------------------

    def _unit(self, name: str) -> Mapping[str, Any]:
        found = self.fleet.unit(name)
        if found is None:
            raise Refused(directory_error(400, "invalidInput", "Invalid Input: INVALID_OU_ID"))
        return found

    def _list_units(self, asked: Asked, _values: Mapping[str, str]) -> Answer:
        top = self._unit(asked.params.get("orgUnitPath") or "/")
        kind = asked.params.get("type", "children")
        path = str(top["orgUnitPath"]).rstrip("/").lower()

        def wanted(unit: Mapping[str, Any]) -> bool:
            if unit is top:
                return kind == "allIncludingParent"
            own = str(unit["orgUnitPath"]).lower()
            if kind == "children":
                return own.rpartition("/")[0] == path
            return own.startswith(f"{path}/")

        found = [unit for unit in self.fleet.org_units if wanted(unit)]
        answer: dict[str, Any] = {"kind": "admin#directory#orgUnits", "etag": '"units"'}
        if found:
            answer["organizationUnits"] = found
        return self._plain(answer, asked.params, {*answer, "organizationUnits"}, ORG_UNIT)

    def _get_unit(self, asked: Asked, values: Mapping[str, str]) -> Answer:
        found = self.fleet.unit(values["orgUnitPath"])
        if found is None:
            raise Refused(directory_error(404, "notFound", "Org unit not found"))
        return self._plain(found, asked.params, ORG_UNIT)

    # --- users ------------------------------------------------------------------------------

    def _list_users(self, asked: Asked, _values: Mapping[str, str]) -> Answer:
        params = asked.params
        if ("customer" in params) == ("domain" in params):
            raise Refused(directory_error(400, "badRequest", "Bad Request"))
        if params.get("domain", self.fleet.domain) != self.fleet.domain:
            raise Refused(directory_error(404, "notFound", "Domain not found."))
        listing = digest("users.list", params)
        token = self._read_token(params.get("pageToken"), listing)
        begin = 0 if token is None else token.after + 1
        size = int(params.get("maxResults", "100"))
        members = self._users(params.get("query"))
        users = [self.fleet.user(index) for index in members[begin : begin + size]]
        answer: dict[str, Any] = {"kind": "admin#directory#users", "etag": '"users"'}
        if users:
            answer["users"] = users
        if begin + size < len(members):
            answer["nextPageToken"] = PageToken(
                listing=listing, after=begin + size - 1, page=1, begun=time.time()
            ).text()
        return self._plain(answer, params, {*answer, "users", "nextPageToken"}, USER)

    def _users(self, query: str | None) -> Sequence[int]:
        everyone = range(self.fleet.user_count)
        if not query:
            return everyone
        if query not in {"isSuspended=true", "isSuspended=false"}:
            raise Refused(directory_error(400, "invalidInput", f"Invalid Input: {query}"))
        wanted = query.endswith("true")
        return [i for i in everyone if bool(self.fleet.user(i).get("suspended")) is wanted]

    def _get_user(self, asked: Asked, values: Mapping[str, str]) -> Answer:
        key = values["userKey"].lower()
        for index in range(self.fleet.user_count):
            user = self.fleet.user(index)
            if key in {str(user["id"]), str(user["primaryEmail"]).lower()}:
                return self._plain(user, asked.params, USER)
        raise Refused(directory_error(404, "notFound", "Resource Not Found: userKey"))

    def _plain(
        self,
        data: Mapping[str, Any],
        params: Mapping[str, str],
        known: Any,
        below: Any = None,
    ) -> Answer:
        mask = _mask(params, known, below)
        return json_answer(
            masks.apply(dict(data), mask), pretty=params.get("prettyPrint", "true") == "true"
        )


def _mask(params: Mapping[str, str], known: Any, below: Any = None) -> masks.Mask | None:
    text = params.get("fields")
    if not text:
        return None
    mask = masks.parse(text)
    masks.check(mask, known)
    for inner in mask.values():
        if below is not None and inner is not None:
            masks.check(inner, below)
    return mask


def _wants(mask: masks.Mask | None, name: str) -> bool:
    return mask is None or "*" in mask or name in mask


@lru_cache(maxsize=64)
def _device_shape(
    fields: str | None, projection: str
) -> tuple[str, Callable[[dict[str, Any]], Any] | None]:
    """What of a device goes into a page, and the name under which that is kept."""
    mask = masks.parse(fields) if fields else None
    if not _wants(mask, "chromeosdevices"):
        return "", None
    below = masks.within(mask, "chromeosdevices")
    masks.check(below, DEVICE)
    wanted = masks.shaper(below)

    def shape(device: dict[str, Any]) -> Any:
        if projection == "BASIC":
            device = {name: value for name, value in device.items() if name in BASIC_DEVICE}
        return wanted(device)

    return f"{projection} {fields}", shape


def _check_params(method: Method, params: Mapping[str, str]) -> None:
    for name, value in params.items():
        kind = method.params.get(name, COMMON.get(name))
        if kind is None:
            raise Refused(_unknown_name(name))
        if not _fits(value, kind):
            text = f"Invalid value '{value[:40]}' for {name}"
            if isinstance(kind, Number):
                text = f"Invalid value '{value[:40]}'. Values must be within the range: [{kind.low}, {kind.high}]"
            raise Refused(directory_error(400, "invalidParameter", text))
    if params.get("pageToken") in {"", "0"}:
        raise Refused(directory_error(400, "invalid", "Invalid Value"))


def _fits(value: str, kind: Kind) -> bool:
    if isinstance(kind, tuple):
        return value in kind
    if isinstance(kind, Number):
        return value.isdecimal() and kind.low <= int(value) <= kind.high
    return kind == "text" or value in {"true", "false"}


def _unknown_name(name: str) -> Answer:
    text = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    return directory_error(400, "badRequest", text, status="INVALID_ARGUMENT")


def _expired() -> Answer:
    return directory_error(503, "backendError", "Service unavailable. Please try again")
