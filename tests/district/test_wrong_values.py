"""A wrong value for any parameter of any verb of a district is a typed error with a hint.

The verbs are found by looking, and each parameter of each is given values of other types while the
rest of the call is right. What comes out is an answer, an `AssetflowError`, or Python's own
`TypeError` for a keyword that is not there: never an error from somewhere inside.
"""

from __future__ import annotations

import inspect
from datetime import date
from typing import Any

import pytest

import assetflow
from assetflow.errors import AssetflowError, InvalidValue
from assetflow.model import CustomType, F, Programme
from assetflow.rules.funding import NewShare
from assetflow.workflows.devices import DEVICE_FIELDS
from assetflow.workflows.models import MODEL_FIELDS
from assetflow.workflows.people import PERSON_FIELDS
from assetflow.workflows.places import PLACE_FIELDS

DAY = date(2026, 8, 18)
WRONG = [object(), 3.5, -1, True, b"x", "\x00", "nothing of the kind", [object()], {"a": 1}, None]
NOT_CALLED = {
    "District.close": "ends the store",
    "District.run": "a coroutine, which runs whatever function it is given",
}
"""Verbs that are left out, and why."""
BY_HAND = {
    "connector": "another class's methods are called: a type checker's matter",
    "on_progress": "a function of the caller's",
    "progress": "a function of the caller's",
    "clock": "a function of the caller's",
}
"""Parameters that take a caller's own code or object."""

RIGHT: dict[str, Any] = {
    "device": "LHS-0001",
    "person": "0204881",
    "student": "0204881",
    "guardian": "0204881",
    "to": "0204881",
    "holder": "0204881",
    "place": "LHS",
    "kind": "student",
    "name": "charger",
    "holds": CustomType.TEXT,
    "shares": [NewShare(fund="100")],
    "year": "2026-27",
    "first_day": DAY,
    "last_day": date(2027, 6, 4),
    "day": DAY,
    "hold_id": "h-1",
    "run_id": "r-1",
    "device_id": "d-1",
    "source": "google",
    "source_id": "1",
    "text": "[custody]\n",
    "figure": "fleet_by_site",
    "file": b"Tag\n1\n",
    "actor": "it@lincoln.example",
}
ALSO = {"Devices.register": {"asset_tag": "NEW-1"}, "Places.add": {"kind": "site"}}


def nouns(district) -> dict[str, Any]:
    return {"": district} | {
        name: part
        for name, part in vars(district).items()
        if not name.startswith("_") and type(part).__module__.startswith("assetflow.district")
    }


def cases():
    with assetflow.open("memory:", district="x", create=True) as district:
        for noun, part in nouns(district).items():
            for name, member in inspect.getmembers(type(part), inspect.isfunction):
                shown = f"{type(part).__name__}.{name}"
                if name.startswith("_") or shown in NOT_CALLED:
                    continue
                for parameter in list(inspect.signature(member).parameters.values())[1:]:
                    if parameter.name not in BY_HAND:
                        yield pytest.param(noun, name, parameter, id=f"{shown}-{parameter.name}")


def right(shown: str, verb: Any) -> dict[str, Any]:
    """The rest of a call, as it should be; what nobody wrote down is left to be wrong."""
    needed = {
        p.name: RIGHT.get(p.name, "x")
        for p in inspect.signature(verb).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    return {**needed, **ALSO.get(shown, {})}


def call(verb: Any, positional: list[Any], named: dict[str, Any]) -> None:
    answer = verb(*positional, **named)
    if hasattr(answer, "__iter__") and not isinstance(answer, str | bytes | dict):
        for count, _ in enumerate(answer):
            if count > 3:
                break


@pytest.mark.parametrize(("noun", "name", "parameter"), list(cases()))
def test_a_wrong_value_is_a_typed_error(district, noun, name, parameter):
    part = getattr(district, noun) if noun else district
    verb = getattr(part, name)
    shown = f"{type(part).__name__}.{name}"
    bad = []
    for wrong in WRONG:
        named, positional = right(shown, verb), []
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional = [wrong]
        elif parameter.kind is parameter.VAR_KEYWORD:
            named["colour"] = wrong  # a field that there is not
        else:
            named[parameter.name] = wrong
        try:
            call(verb, positional, named)
        except AssetflowError as error:
            if not error.hint:
                bad.append((wrong, "no hint"))
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                bad.append((wrong, repr(error)))
        except Exception as error:  # noqa: BLE001  # that none of these comes out is the test
            bad.append((wrong, repr(error)))
    assert not bad
    assert district.journal.verify().ok


FIELDS = {
    "devices.register": (
        DEVICE_FIELDS,
        lambda d, f: d.devices.register(**{"asset_tag": "N-1", **f}),
    ),
    "devices.edit": (DEVICE_FIELDS, lambda d, f: d.devices.edit("LHS-0001", **f)),
    "devices.set_model": (MODEL_FIELDS, lambda d, f: d.devices.set_model("HP 11 G9", **f)),
    "people.register": (PERSON_FIELDS - {"kind"}, lambda d, f: d.people.register("staff", **f)),
    "people.change": (PERSON_FIELDS, lambda d, f: d.people.change("0204881", **f)),
    "places.change": (PLACE_FIELDS, lambda d, f: d.places.change("LHS", **f)),
}


@pytest.mark.parametrize(
    ("verb", "name"), [(v, n) for v, (names, _) in FIELDS.items() for n in sorted(names)]
)
def test_a_field_takes_what_it_holds_and_nothing_else(district, verb, name):
    for wrong in (object(), 3.5, b"x", [object()], {"a": 1}, "\x00"):
        with pytest.raises(AssetflowError) as caught:
            FIELDS[verb][1](district, {name: wrong})
        assert caught.value.hint


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (verb, name)
        for verb in FIELDS
        for name in (
            "colour",
            "version",
            "id",
            "tag_key",
            "mark_key",
            "erased_at",
            "custody",
            "funding",
        )
    ],
)
def test_what_follows_from_other_things_is_not_for_a_caller_to_set(district, verb, name):
    before = district.journal.head()
    with pytest.raises(InvalidValue, match=f"no field {name} that can be set"):
        FIELDS[verb][1](district, {name: 7})
    assert district.journal.head() == before


@pytest.mark.parametrize("wrong", ["3", 3.0, True, None, -1])
def test_a_limit_is_a_whole_number(district, wrong):
    with pytest.raises(InvalidValue):
        district.devices.where().limit(wrong)


@pytest.mark.parametrize(
    ("fields", "good"),
    [
        ({"fund": "100"}, True),
        ({"fund": "100", "basis_points": 3_333, "programme": Programme.ECF}, True),
        ({"fund": 100}, False),
        ({"fund": None}, False),
        ({"fund": "100", "basis_points": 3_333.3}, False),
        ({"fund": "100", "basis_points": True}, False),
        ({"fund": "100", "basis_points": "3333"}, False),
        ({"fund": "100", "award_number": 7}, False),
        ({"fund": "100", "programme": "ecf"}, False),
        ({"fund": "100", "title_holder": b"x"}, False),
    ],
)
def test_a_share_is_whole_basis_points_of_a_fund(fields, good):
    if good:
        assert NewShare(**fields).fund == "100"
        return
    with pytest.raises(InvalidValue) as caught:
        NewShare(**fields)
    assert caught.value.hint


def test_days_and_words_may_be_given_as_text(district):
    district.people.leave("0204881", left_on="2026-08-01")
    assert district.people.get("0204881").left_on == date(2026, 8, 1)
    district.devices.edit("LHS-0001", warranty_ends="2027-06-30", lifecycle="received")
    assert district.devices.get("LHS-0001").warranty_ends == date(2027, 6, 30)
    assert district.devices.funding("LHS-0001", on="2026-08-01") == ()
    assert isinstance(district.attention(on="2026-08-18"), list)
    for misspelt in (
        lambda: district.people.register("alien"),
        lambda: district.places.add("zoo", "Zoo"),
        lambda: district.runs.items("r-1", outcome="zz"),
        lambda: district.figures("zz"),
        lambda: district.devices.where(F.lifecycle == "in stock").count(),
    ):
        with pytest.raises(InvalidValue) as caught:
            misspelt()
        assert ": " in caught.value.hint, "the hint lists what there is"
