"""No verb of a district reaches another district of the same store.

The verbs are found by looking at `District` and its nouns, and what each is called with follows
from the annotations of its parameters. So a new verb is covered without being listed here; one
with a kind of parameter that this module does not know fails until `KINDS_OF_PARAMETER` or
`TEXTS` says what the district and its neighbour have of that kind.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import attrs
import pytest

import assetflow
from assetflow import usd
from assetflow.district import District, Pager
from assetflow.district.session import Session
from assetflow.errors import AssetflowError, InvalidValue
from assetflow.model import (
    Aggregate,
    ClosedDays,
    Condition,
    CustodyKind,
    CustomType,
    F,
    ItemOutcome,
    Lifecycle,
    PersonKind,
    PlaceKind,
)
from assetflow.rules.funding import NewShare
from assetflow.store.schema import KINDS, ColumnType
from assetflow.workflows.personal.sealing import IdentityKey, IdentityKeys

DAY = date(2026, 8, 18)
OWN, FOREIGN = "deer", "hawk"

NOT_CALLED = {
    "District.close": "ends the store",
    "District.run": "calls what it is given with the district itself",
    "District.store": "the port, which test_store_port.py is about",
}
"""Members of a district that are not called, and why."""

REFUSED_ANYWAY = {
    "People.erase": "the person has devices in hand",
    "Retention.rotate": "no key opens bytes that were made up",
    "Webhooks.test": "its secret is in no environment",
}
"""Verbs whose call with what is one's own fails here too."""


# --- the verbs --------------------------------------------------------------------------------


def nouns() -> dict[str, Any]:
    """The classes of the district's parts, by the path that leads to them."""
    district = assetflow.open("memory:", district="x", create=True)
    return {"": district} | {
        name: part
        for name, part in vars(district).items()
        if not name.startswith("_") and type(part).__module__.startswith("assetflow.")
    }


class Verb(NamedTuple):
    """One public member of a district or of its parts."""

    noun: str
    name: str
    parameters: tuple[inspect.Parameter, ...]
    returns: str

    def of(self, district: District) -> Any:
        return getattr(getattr(district, self.noun) if self.noun else district, self.name)


def verbs() -> Iterator[tuple[str, Verb]]:
    for noun, part in nouns().items():
        cls = type(part)
        for name, member in inspect.getmembers(cls):
            shown = f"{cls.__name__}.{name}"
            if (name.startswith("_") and name != "__call__") or shown in NOT_CALLED:
                continue
            if inspect.isfunction(member):
                signature = inspect.signature(member)
                parameters = tuple(signature.parameters.values())[1:]
                yield shown, Verb(noun, name, parameters, str(signature.return_annotation))
            elif isinstance(member, property):
                yield shown, Verb(noun, name, (), "property")


VERBS = dict(verbs())


# --- what a parameter may be given ---------------------------------------------------------------


class Given(NamedTuple):
    """Values for a parameter, as a district has them."""

    values: list[Any]
    """Of the district that is asked about; none for what belongs to nobody."""
    refers: bool = False
    """Whether it names something that must be there, so that a foreign one is refused."""


Maker = Callable[[Any, Mapping[str, Any]], Given]


def reference(kind: str, *fields: str) -> Maker:
    return lambda here, _: Given([here.records(kind)[0], *here.texts(kind, *fields)], refers=True)


def ids(kind: str, field: str = "id") -> Maker:
    return lambda here, _: Given(here.texts(kind, field), refers=True)


def free(kind: str, *fields: str) -> Maker:
    """Text that may be anything: what the other district has there is tried too."""
    return lambda here, _: Given(here.texts(kind, *fields))


def said(*values: Any) -> Maker:
    """What belongs to nobody: the same for both."""
    return lambda *_: Given(list(values))


def made(make: Callable[[Any], Sequence[Any]], *, refers: bool = False) -> Maker:
    return lambda here, _: Given(list(make(here)), refers)


NOTHING = said()


def _holders(here: Any, _: Mapping[str, Any]) -> Given:
    texts = [*here.texts("person", "id", "local_id", "email"), *here.texts("place", "id", "code")]
    return Given([*here.holders, *texts], refers=True)


def _aggregates(here: Any, _: Mapping[str, Any]) -> Given:
    found: list[Any] = ["fleet_by_site"]
    for kind in KINDS.values():
        texts = [c.field for c in kind.columns if c.type is ColumnType.TEXT]
        found += [Aggregate(kind=kind.record, group_by=(name,)) for name in texts]
    return Given(found)


KINDS_OF_PARAMETER: dict[str, Maker] = {
    "DeviceRef": reference("device", "id", "asset_tag", "serial"),
    "PersonRef": reference("person", "id", "local_id", "email"),
    "PlaceRef": reference("place", "id", "code", "name"),
    "HolderRef": _holders,
    "Connector": lambda here, samples: Given([samples["source"](here.mark)]),
    "ImportPlan": made(lambda here: [here.file_plan], refers=True),
    "str | Aggregate[Any]": _aggregates,
    "tuple[str, str]": made(lambda here: [("device", i) for i in here.texts("device", "id")]),
    "Seal | Head | int": made(lambda here: [here.district.journal.head()]),
    "Sequence[NewShare]": made(lambda here: [[NewShare(fund=f"{here.mark}-fund")]]),
    "Sequence[ClosedDays]": made(
        lambda here: [[ClosedDays(first=DAY, last=DAY, name=f"{here.mark} break")]]
    ),
    "str | int": made(lambda here: [here.district.changes(limit=1).cursor]),
    "SchoolYear | str": said("2027-28"),
    "date": said(DAY),
    "date | str": said(DAY),
    "datetime": NOTHING,
    "Money": said(usd("7")),
    "Condition | str": said(Condition.FAIR),
    "CustodyKind | str": said(CustodyKind.ASSIGNMENT),
    "CustomType": said(CustomType.TEXT),
    "ItemOutcome | str": said(*ItemOutcome),
    "Lifecycle | str": said(Lifecycle.IN_STOCK),
    "PersonKind | str": said(PersonKind.STUDENT),
    "PlaceKind | str": said(PlaceKind.SITE),
    "Sequence[PlaceRef]": made(
        lambda here: [[here.records("place")[0]], here.texts("place", "id")[:1]], refers=True
    ),
    "WebhookRef": reference("webhook", "id", "name"),
    "Literal[True]": said(True),
    "IdentityKeys": said(IdentityKeys((IdentityKey(b"k" * 32),))),
    "Callable[[], float]": NOTHING,
    "Callable[[float], None]": NOTHING,
    "Schedule": NOTHING,
    "SecretSource": NOTHING,
    "Sequence[int]": NOTHING,
    "TargetRules": NOTHING,
    "float": NOTHING,
    "bool": NOTHING,
    "bytes": NOTHING,
    "int": NOTHING,
    "OnProgress": NOTHING,
    "Callable[[int, int], None]": NOTHING,
    "Mapping[str, str | None]": NOTHING,
    "Predicate": NOTHING,  # by what the listing is of: see `predicates`
    "Readable | Source": NOTHING,  # by what is planned: see `FILES`
}
"""What to give a parameter, by its annotation without ``| None``."""

TEXTS: dict[str, Maker] = {
    "actor": made(lambda here: [f"it@{here.mark}.example"]),
    "app_id": NOTHING,
    "asset_tag": free("device", "asset_tag"),
    "batch_id": made(lambda here: here.texts("import_batch", "id") + here.texts("run", "id")),
    "because": NOTHING,
    "choices": NOTHING,
    "code": free("place", "code"),
    "delivery": ids("webhook_delivery"),
    "device_id": ids("device"),
    "fields": NOTHING,
    "hold_id": ids("hold"),
    "key": free("idempotency", "key"),
    "kind": said("manual"),
    "kinds": NOTHING,
    "label": free("custom_field", "label"),
    "model": free("device_model", "name"),
    "name": lambda here, _: Given(
        here.texts("device_model", "name")
        + here.texts("place", "name")
        + here.texts("webhook", "name")
        + here.texts("custom_field", "name")
    ),
    "note": free("note", "text"),
    "override": NOTHING,
    "reason": said("tried"),
    "recipient": free("recipient", "name"),
    "relation": free("guardianship", "relation"),
    "run_id": ids("run"),
    "secrets": said(["${ASSETFLOW_TEST_NO_SECRET}"]),
    "serial": free("device", "serial"),
    "source": said("google"),
    "source_id": ids("observation", "source_id"),
    "text": said("[custody]\n"),
    "time_zone": NOTHING,
    "types": NOTHING,
    "url": free("webhook", "url"),
}
"""What to give a text, or several, by the parameter's name."""

UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

FILES = {
    "Imports.plan_devices": "inventory",
    "Imports.plan_people": "people",
    "Imports.plan_roster": "roster",
}
"""Which sample a verb that reads a file is given."""

ALSO_NEEDED: dict[str, dict[str, Any]] = {
    "Devices.register": {"asset_tag": f"{OWN}-tag-new"},
    "Devices.link": {"source_id": f"{OWN}-vendor-twin"},
}
"""What a verb needs although its signature does not say so."""

RECORDS = {k.record.__name__: k for k in KINDS.values()}
_NOT_A_REFERENCE = {"local_id", "source_id"}


def maker(shown: str, parameter: inspect.Parameter) -> Maker:
    """How values for a parameter are made.

    Raises:
        LookupError: nobody said; add its annotation or its name above.
    """
    annotation = re.sub(r" \| None$", "", str(parameter.annotation)).strip("'\"")
    if annotation in KINDS_OF_PARAMETER:
        return KINDS_OF_PARAMETER[annotation]
    texts = ("str", "Sequence[str]", "tuple[str, ...]")
    if annotation in texts and parameter.name in TEXTS:
        return TEXTS[parameter.name]
    msg = (
        f"{shown}({parameter.name}: {annotation}): say in KINDS_OF_PARAMETER or TEXTS what a "
        "district has of that, so that a foreign one can be tried"
    )
    raise LookupError(msg)


# --- calls ---------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A call with something of the neighbour's in it."""

    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    refers: bool
    """Whether the foreign part names something that must be there."""

    def __repr__(self) -> str:
        return f"{self.positional!r} {dict(self.named)!r}"


def bases(shown: str, verb: Verb, pair: Any, samples: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a verb needs, all of it the district's own: for a device, one in stock and one that is out."""
    found = [dict(ALSO_NEEDED.get(shown, {}))]
    for parameter in verb.parameters:
        if parameter.default is not parameter.empty or parameter.kind in UNNAMED:
            continue
        if str(parameter.annotation) == "DeviceRef":
            values = [f"{OWN}-tag-4", f"{OWN}-tag-1"]
        elif str(parameter.annotation) == "PersonRef":
            values = [f"{OWN}-3" if parameter.name == "guardian" else f"{OWN}-1"]
        elif parameter.name == "file":
            values = [samples[FILES[shown]](OWN)]
        else:
            values = maker(shown, parameter)(pair.own, samples).values[-1:]
        found = [{**base, parameter.name: value} for value in values for base in found]
    return found


def calls(shown: str, verb: Verb, pair: Any, samples: Mapping[str, Any]) -> Iterator[Call]:
    """Each parameter given what the neighbour has, one after the other, the rest what is there."""
    foreign = {
        p.name: Given([samples[FILES[shown]](FOREIGN)])
        if p.name == "file"
        else maker(shown, p)(pair.foreign, samples)
        for p in verb.parameters
        if p.kind not in UNNAMED
    }
    for base in bases(shown, verb, pair, samples):
        for name, given in foreign.items():
            for value in given.values:
                yield Call((), {**base, name: value}, refers=given.refers)
        needed = {n: g for n, g in foreign.items() if n in base and g.values}
        if len(needed) > 1:
            all_theirs = {**base, **{n: g.values[0] for n, g in needed.items()}}
            yield Call((), all_theirs, refers=any(g.refers for g in needed.values()))
        for parameter in verb.parameters:
            if parameter.kind is parameter.VAR_KEYWORD and parameter.name != "how":
                for name, value, refers in fields(verb.returns, pair):
                    if name not in base:
                        yield Call((), {**base, name: value}, refers)
            if parameter.kind is parameter.VAR_POSITIONAL:
                maker(shown, parameter)
                yield from (Call((p,), {}, refers=False) for p in predicates(verb.returns, pair))


def record_named(returns: str) -> Any:
    return RECORDS[re.sub(r"^Pager\[(.*)\]$", r"\1", returns)]


def fields(returns: str, pair: Any) -> Iterator[tuple[str, Any, bool]]:
    """Every field of the record that a verb gives, with the neighbour's value."""
    kind = record_named(returns)
    refers = {f for f, _ in kind.refers}
    for attribute in attrs.fields(kind.record):
        name = attribute.name
        points = name in refers or (name.endswith("_id") and name not in _NOT_A_REFERENCE)
        for value in pair.foreign.texts(kind.name, name)[:2]:
            if isinstance(value, str):
                yield name, value, points
        if name in refers and not pair.foreign.texts(kind.name, name):
            target = dict(kind.refers)[name]
            yield name, pair.foreign.records(target)[0].id, True
    yield "district_id", pair.foreign.district.id, True


def predicates(returns: str, pair: Any) -> Iterator[Any]:
    """Filters that name what the neighbour has, and filters that keep all that is not one's own."""
    kind = record_named(returns)
    for column in kind.columns:
        if column.type in (ColumnType.JSON, ColumnType.BYTES):
            continue
        field = getattr(F, column.field)
        if column.type is ColumnType.CURRENCY:
            continue
        for value in pair.foreign.texts(kind.name, column.field)[:3]:
            yield field == value
            yield field.one_of(value)
            if isinstance(value, str):
                yield field.starts_with(FOREIGN)
        for value in pair.own.texts(kind.name, column.field)[:1]:
            yield field != value
        yield field.is_known() | field.is_unknown()


# --- what came of it ------------------------------------------------------------------------------


def texts_in(value: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Every text that can be got out of a value, also what its ``repr`` does not show."""
    seen = set() if seen is None else seen
    if isinstance(value, str):
        yield value
        return
    if isinstance(value, bytes):
        yield value.decode("latin-1")
        return
    if value is None or isinstance(value, int | float | enum.Enum | date | datetime | type):
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    yield from parts_of(value, seen)


def parts_of(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, Session) or hasattr(value, "districts") or callable(value):
        return
    if isinstance(value, District):
        yield value.id
        yield repr(value)
    elif isinstance(value, Pager):
        yield from texts_in(
            [list(value), value.count(), value.left_out_unknown(), repr(value)], seen
        )
    elif isinstance(value, BaseException):
        yield from texts_in([str(value), repr(value), value.args, vars(value)], seen)
    elif isinstance(value, Mapping):
        yield from texts_in([*value.keys(), *value.values()], seen)
    elif attrs.has(type(value)):
        for attribute in attrs.fields(type(value)):
            yield from texts_in(getattr(value, attribute.name), seen)
    elif isinstance(value, Iterable):
        for item in value:
            yield from texts_in(item, seen)
    else:
        yield from texts_in(getattr(value, "__dict__", {}), seen)
        yield repr(value)


def leaked(value: Any, given: Any) -> list[str]:
    """Texts of the neighbour's in a value, but for those that the caller handed in."""
    said = [
        p
        for t in texts_in(given)
        for p in (t, *re.split(r"[,\n]", t), *re.findall(r"^https://[^/]+", t))
    ]
    known = sorted({t.casefold() for t in said if FOREIGN in t.casefold()}, key=len)
    found = []
    for text in texts_in(value):
        left = text.casefold()
        if FOREIGN not in left:
            continue
        for part in reversed(known):
            left = left.replace(part, "")
            left = left.replace(re.sub("[oisbz]", lambda m: "01582"["oisbz".index(m[0])], part), "")
        if FOREIGN in left:
            found.append(text)
    return found


def outcome_of(act: Callable[[], Any]) -> Any:
    """What a call gives, read to its end; or what it raises."""
    try:
        got = act()
        if isinstance(got, Iterator):
            got = list(got)
    except AssetflowError as refused:
        return refused
    except TypeError as unknown:
        if not re.search("argument '(district_id|id)'$", str(unknown)):
            raise
        return InvalidValue(str(unknown))
    return got


def run(shown: str, verb: Verb, pair: Any, samples: Mapping[str, Any]) -> int:
    """Make every call of a verb; how many there were."""
    number = 0
    pending = list(calls(shown, verb, pair, samples))
    while number < len(pending):
        call = pending[number]
        given = (call.positional, call.named)
        pair.commits.clear()
        got = outcome_of(
            lambda call=call: verb.of(pair.own.district)(*call.positional, **call.named)
        )
        assert leaked(got, given) == [], (shown, call)
        assert set(pair.commits) <= {pair.own.district.id}, (shown, call)
        if pair.commits:
            pair.unreached()
            assert not call.refers, f"{shown} wrote with a reference to another district: {call}"
            assert leaked(pair.own.snapshot(), given) == [], (shown, call)
            pair.renew()
            pending = list(calls(shown, verb, pair, samples))
        number += 1
    pair.unreached()
    return number


@pytest.mark.parametrize("shown", sorted(VERBS))
def test_nothing_of_another_district_is_reached(shown, pair, samples):
    verb = VERBS[shown]
    if verb.returns == "property":
        assert leaked(verb.of(pair.own.district), None) == []
        return
    assert run(shown, verb, pair, samples) >= any(p.default is p.empty for p in verb.parameters)


@pytest.mark.parametrize("shown", sorted(VERBS))
def test_the_same_call_with_ones_own_does_something(shown, pair, samples):
    """Else a foreign one would be refused for another reason."""
    verb = VERBS[shown]
    if verb.returns == "property" or shown in REFUSED_ANYWAY:
        return
    made = [
        outcome_of(lambda base=base: verb.of(pair.own.district)(**base))
        for base in bases(shown, verb, pair, samples)
    ]
    pair.renew()
    assert any(not isinstance(got, AssetflowError) for got in made), made
