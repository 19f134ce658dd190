"""A vendor's page of bytes becomes observed values: against other decoders of the same fields.

The fields, and their types, are those of the connector's own ``ChromeOsDevice``. msgspec's decode
of them is the floor, since the connector stands on it; what it does more is to turn Google's
spellings into values (instants, days, states, org units) and to look for keys that nobody maps.
pydantic, cattrs and the dict by hand stop at the fields, with no meaning given to any.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from assetflow.connectors.google.payloads import ByteUsage, ChromeOsDevice, RecentUser
from benchmarks.measure import Compared, Line, Missing, Target, compare, micros, once
from benchmarks.source import PagesConnector, first_pages

if TYPE_CHECKING:
    from benchmarks.world import World

__all__ = ["Decoders", "rows"]

_PAGES = 20

Decode = Callable[[bytes], Any]


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise Missing(f"{name} is not installed") from None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


_FIELDS = {f.name: f.type for f in msgspec.structs.fields(ChromeOsDevice)}


class Decoders:
    """One way each to read some pages; each gives all devices of a page.

    Args:
        devices: How many devices lie on the pages.
    """

    def __init__(self, devices: int) -> None:
        pages = first_pages(devices)
        self._connector = PagesConnector(pages, devices)
        self.bodies = list(pages.values())
        self.count = devices

    def ours(self) -> None:
        """The connector's own parser, to observed values."""
        for _page in self._connector.decode():
            pass

    def over(self, decode: Decode) -> Callable[[], None]:
        """Another decoder over the same pages."""
        bodies = self.bodies

        def run() -> None:
            for body in bodies:
                decode(body)

        return run

    def msgspec(self) -> Decode:
        """msgspec's typed decode of the same struct."""
        page = msgspec.defstruct("Page", [("chromeosdevices", list[ChromeOsDevice])])
        return msgspec.json.Decoder(page, strict=False).decode

    def pydantic(self) -> Decode:
        """pydantic's, with the same fields and types; it is not asked to read an instant."""
        pydantic = _package("pydantic")

        def model(name: str, fields: dict[str, Any]) -> Any:
            made = {n: (t, ... if n == "device_id" else None) for n, t in fields.items()}
            config = pydantic.ConfigDict(alias_generator=_camel, extra="ignore")
            return pydantic.create_model(name, __config__=config, **made)

        usage = model("Usage", {"capacity_bytes": int | None, "used_bytes": int | None})
        user = model("User", {"email": str | None})
        own = {ByteUsage | None: usage | None, list[RecentUser] | None: list[user] | None}
        device = model("Device", {n: own.get(t, t) for n, t in _FIELDS.items()})
        page = pydantic.create_model("Page", chromeosdevices=(list[device], ...))
        return pydantic.TypeAdapter(page).validate_json  # type: ignore[no-any-return]

    def by_hand(self) -> Decode:
        """orjson, then each field taken out of the dict."""
        orjson = _package("orjson")
        names = [
            _camel(n)
            for n in _FIELDS
            if n not in ("disk_space_usage", "recent_users", "system_ram_total")
        ]
        made = attrs.make_class("Device", [*_FIELDS], frozen=True, slots=True)

        def whole(text: str | None) -> int | None:
            return None if text is None else int(text)

        def one(d: dict[str, Any]) -> Any:
            get = d.get
            usage = get("diskSpaceUsage") or {}
            disk = whole(usage.get("capacityBytes")), whole(usage.get("usedBytes"))
            users = [u.get("email") for u in get("recentUsers") or ()]
            return made(*[get(n) for n in names], whole(get("systemRamTotal")), disk, users)

        return lambda body: [one(d) for d in orjson.loads(body)["chromeosdevices"]]

    def cattrs(self) -> Decode:
        """orjson, then cattrs with its defaults."""
        orjson, cattrs = _package("orjson"), _package("cattrs")
        usage = attrs.make_class(
            "Usage", _typed({"capacityBytes": int | None, "usedBytes": int | None})
        )
        user = attrs.make_class("User", _typed({"email": str | None}))
        own = {ByteUsage | None: usage | None, list[RecentUser] | None: list[user] | None}
        fields = {_camel(n): own.get(t, t) for n, t in _FIELDS.items()}
        page = attrs.make_class(
            "Page",
            {"chromeosdevices": attrs.field(type=list[attrs.make_class("Device", _typed(fields))])},
        )
        converter = cattrs.Converter()
        return lambda body: converter.structure(orjson.loads(body), page)


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: attrs.field(type=t, default=None) for name, t in fields.items()}


def rows(world: World) -> Iterator[Line]:
    """One line for each other decoder."""
    decoders = Decoders(min(_PAGES * 300, world.scale.fleet))
    rounds = world.scale.rounds * 4
    peers: list[tuple[str, Callable[[], Decode], Target | None]] = [
        ("msgspec's typed decode", decoders.msgspec, Target(1.5)),
        ("pydantic", decoders.pydantic, Target(3, at_least=True)),
        ("orjson + dict by hand", decoders.by_hand, None),
        ("orjson + cattrs", decoders.cattrs, None),
    ]
    for name, make, target in peers:
        try:
            peer = decoders.over(make())
        except Missing as missing:
            yield Line("decode a page", "", f"{name}: {missing}", skipped=True)
            continue
        found = compare(once(decoders.ours), once(peer), rounds=rounds, warm=2)
        faster = name != "msgspec's typed decode"
        yield _line(found, decoders.count, name, target, faster=faster)


def _line(found: Compared, count: int, name: str, target: Target | None, *, faster: bool) -> Line:
    return Line(
        "decode a page",
        f"{micros(found.took, count)} a device",
        f"{name} {micros(found.peer_took, count)}",
        found.faster if faster else found.cost,
        target,
    )
