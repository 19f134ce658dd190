"""Every verb of the facade with arguments that let it do its work, for the fault in each call.

The facade is looked through, not listed: a verb that has no row here, or a row that has no verb,
fails a test. A row is one line; see ``VERBS``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen

import assetflow
from assetflow.errors import NotFound
from assetflow.model import (
    FIGURES,
    ClosedDays,
    Condition,
    CustomType,
    F,
    Lifecycle,
    Management,
    Observation,
    ObservedDevice,
    Query,
    usd,
)
from assetflow.rules.funding import NewShare
from assetflow.testing.canned import CannedConnector
from assetflow.testing.seed import seed_district
from assetflow.testing.seed_files import roster_zip
from assetflow.wire import TargetRules, new_webhook_secret
from assetflow.workflows.personal.sealing import IdentityKey, IdentityKeys

__all__ = ["NO_CALL", "VERBS", "Verb", "facade_verbs", "furnish"]

Do = Callable[[assetflow.District], Any]

NO_CALL: Mapping[str, str] = MappingProxyType(
    {
        "acting_as": "binds another actor",
        "close": "lets go of the store",
        "retention.wipe": "rewrites the file on a connection that is not the store's",
        "run": "hands the district to a thread",
    }
)
"""Public methods that ask nothing of the database, and why."""


@frozen
class Verb:
    """A verb and how to call it."""

    do: Do
    """The call."""
    several: bool = False
    """Whether it makes several transactions, each whole in itself."""
    once: bool = False
    """Whether it has a key, or is such that a second call finds nothing left to do."""


def facade_verbs() -> set[str]:
    """The public methods of the district and of its nouns: ``custody.check_out``."""
    with assetflow.open("memory:", district="lincoln", create=True) as district:
        found = _methods(type(district))
        for noun, part in vars(district).items():
            if not noun.startswith("_"):
                found |= {f"{noun}.{name}" for name in _methods(type(part))}
    return found


def _methods(kind: type) -> set[str]:
    return {n for n, _ in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}


# --- what the verbs find there -----------------------------------------------------------------


def _fleet(*changes: Mapping[str, Any]) -> CannedConnector:
    chromebooks = [
        ObservedDevice(
            f"vendor-{n}",
            serial=f"5CD{n:07}",
            asset_tag=f"G-{n:04}",
            model="Kestrel 11 G9",
            status="ACTIVE",
            management=Management.MANAGED,
        )
        for n in range(4)
    ]
    # The serial of a device that is gone: the pull cannot place it, and somebody has to.
    odd = ObservedDevice("vendor-odd", serial="GONE1", status="ACTIVE")
    for change in changes:
        chromebooks = [evolve(c, **change) for c in chromebooks]
    return CannedConnector({"ou-a": [*chromebooks[:2], odd], "ou-b": chromebooks[2:]}, page_size=2)


def furnish(district: assetflow.District) -> None:
    """Put in what the verbs work on."""
    site = district.places.add("site", "Lincoln High", code="LHS")
    district.places.add("room", "Room 12", code="LHS-12", within=site)
    for number in ("1001", "1002"):
        district.people.register("student", local_id=number, given_name="Ada", grade="09")
    district.people.register("guardian", local_id="2001", given_name="Bea")
    for n in (1, 2, 3):
        district.devices.register(asset_tag=f"LHS-{n}", serial=f"SER{n}", model="Kestrel 11 G8")
    district.devices.register(serial="GONE1", lifecycle=Lifecycle.DISPOSED)
    district.custody.check_out("LHS-2", to="1001", key="earlier")
    district.people.place_hold("1002", note="a fee")
    district.devices.declare_field("charger", CustomType.TEXT)
    district.calendars.set("2026-27", first_day=date(2026, 8, 17), last_day=date(2027, 5, 28))
    district.pull(_fleet(), workers=1)
    district.webhooks.add(
        "portal", url=_NOBODY, secrets=["${S}"], types=["place.*"], rules=_LOCAL, since=0
    )


_NOBODY = "http://127.0.0.1:1/events"  # where nobody listens: each call is a failed attempt
_LOCAL = TargetRules.loopback()
_SECRET = new_webhook_secret()
_KEYS = IdentityKeys((IdentityKey(bytes(32)),))


def _deliver(district: assetflow.District) -> Any:
    return district.webhooks.deliver(
        secrets=lambda _: _SECRET, rules=_LOCAL, workers=1, random=lambda: 0.0
    )


def _add_webhook(district: assetflow.District) -> Any:
    return district.webhooks.add("other", url=_NOBODY, secrets=["${S}"], rules=_LOCAL)


def _test_webhook(district: assetflow.District) -> Any:
    return district.webhooks.test("portal", secrets=lambda _: _SECRET, rules=_LOCAL)


def _hold(district: assetflow.District) -> str:
    held = district.people.holds("1002")
    if not held:
        raise NotFound("the hold was released already")
    return held[0].id


def _unplaced(district: assetflow.District) -> tuple[str, str]:
    with district.store.read(district.id) as tx:
        waiting = tx.find(Query(kind=Observation, where=F.device_id.is_unknown()))
        observation = next(iter(waiting), None)
    if observation is None:
        raise NotFound("the record was linked already")
    return observation.source, observation.source_id


def _link(district: assetflow.District) -> Any:
    source, source_id = _unplaced(district)
    return district.devices.link(source, source_id, "LHS-3")


_DEVICES_CSV = b"Asset Tag,Serial Number,Model\nNEW-1,NS1,Kestrel 11 G9\nNEW-2,NS2,Kestrel 11 G9\n"
_PEOPLE_CSV = b"Student ID,First Name,Last Name,Grade\n3001,Cleo,Ash,10\n3002,Enzo,Elm,11\n"


def _roster() -> bytes:
    made = seed_district()
    return roster_zip(evolve(made, people=made.people[:12]))


def _export(district: assetflow.District) -> Any:
    out = district.export(recipient="state-university", deidentified=True)
    return [list(part()) for part in (out.devices, out.custody, out.figures)]


def _apply(district: assetflow.District) -> Any:
    return district.imports.apply(district.imports.plan_devices(_DEVICES_CSV))


def _run_id(district: assetflow.District) -> str:
    return district.runs.list().all()[0].id


# --- the table ---------------------------------------------------------------------------------

VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "attention": Verb(lambda d: d.attention(on=date(2026, 11, 24))),
        "calendars.on": Verb(lambda d: d.calendars.on(date(2026, 11, 24))),
        "calendars.set": Verb(
            lambda d: d.calendars.set(
                "2027-28",
                first_day=date(2027, 8, 16),
                last_day=date(2028, 5, 26),
                site="LHS",
                closed=[
                    ClosedDays(first=date(2027, 11, 25), last=date(2027, 11, 26), name="Break")
                ],
            ),
            once=True,
        ),
        "changes": Verb(lambda d: d.changes(types=["device.*"])),
        "custody.check_in": Verb(
            lambda d: d.custody.check_in("LHS-2", note="dented", key="k"), once=True
        ),
        "custody.check_out": Verb(
            lambda d: d.custody.check_out("LHS-1", to="1001", note="first", key="k"), once=True
        ),
        "custody.explain_check_in": Verb(lambda d: d.custody.explain_check_in("LHS-2")),
        "custody.explain_check_out": Verb(
            lambda d: d.custody.explain_check_out("LHS-1", to="1001")
        ),
        "custody.explain_transfer": Verb(
            lambda d: d.custody.explain_transfer("LHS-2", to="LHS-12")
        ),
        "custody.held_by": Verb(lambda d: d.custody.held_by("1001").all()),
        "custody.history": Verb(lambda d: d.custody.history("LHS-2").all()),
        "custody.of": Verb(lambda d: d.custody.of("LHS-2")),
        "custody.transfer": Verb(
            lambda d: d.custody.transfer("LHS-2", to="LHS-12", key="k"), once=True
        ),
        "custody.where_open": Verb(lambda d: d.custody.where_open().all()),
        "devices.claims": Verb(lambda d: d.devices.claims("G-0001")),
        "devices.declare_field": Verb(
            lambda d: d.devices.declare_field("sleeve", CustomType.FLAG, reason="new"), once=True
        ),
        "devices.edit": Verb(
            lambda d: d.devices.edit("LHS-1", order_line="PO-7", condition=Condition.FAIR),
            once=True,
        ),
        "devices.fund": Verb(
            lambda d: d.devices.fund(
                "LHS-1",
                [NewShare(fund="100", basis_points=4000), NewShare(fund="200", basis_points=6000)],
            )
        ),
        "devices.funding": Verb(lambda d: d.devices.funding("LHS-1")),
        "devices.get": Verb(lambda d: d.devices.get("SER1")),
        "devices.history": Verb(lambda d: d.devices.history("LHS-2")),
        "devices.link": Verb(_link),
        "devices.links": Verb(lambda d: d.devices.links("G-0001").all()),
        "devices.models": Verb(lambda d: d.devices.models().all()),
        "devices.register": Verb(
            lambda d: d.devices.register(asset_tag="NEW-9", serial="N9", model="Heron 14")
        ),
        "devices.set_model": Verb(
            lambda d: d.devices.set_model("Kestrel 11 G8", replacement_cost=usd("319")), once=True
        ),
        "devices.where": Verb(
            lambda d: d.devices.where(F.asset_tag == "LHS-1").order_by("id").all()
        ),
        "drift": Verb(lambda d: list(d.drift("google"))),
        "export": Verb(_export, several=True),
        "figures": Verb(lambda d: [d.figures(name) for name in sorted(FIGURES)]),
        "imports.apply": Verb(_apply, several=True),
        "imports.plan_devices": Verb(lambda d: d.imports.plan_devices(_DEVICES_CSV)),
        "imports.plan_people": Verb(lambda d: d.imports.plan_people(_PEOPLE_CSV)),
        "imports.plan_roster": Verb(lambda d: d.imports.plan_roster(_roster())),
        "journal.events": Verb(lambda d: list(d.journal.events())),
        "journal.head": Verb(lambda d: d.journal.head()),
        "journal.seal": Verb(lambda d: d.journal.seal(key=bytes(32))),
        "journal.verify": Verb(lambda d: d.journal.verify()),
        "people.change": Verb(
            lambda d: d.people.change("1001", family_name="Ash", grade="10"), once=True
        ),
        "people.erase": Verb(
            lambda d: d.people.erase("1002", reason="records-request", wipe=False)
        ),
        "people.export": Verb(lambda d: list(d.people.export("1001"))),
        "people.get": Verb(lambda d: d.people.get("1001")),
        "people.holds": Verb(lambda d: d.people.holds("1002")),
        "people.leave": Verb(lambda d: d.people.leave("1002", left_on=date(2026, 11, 20))),
        "people.link_guardian": Verb(lambda d: d.people.link_guardian("1001", "2001")),
        "people.place_hold": Verb(lambda d: d.people.place_hold("1001", note="a fee")),
        "people.plan_erasure": Verb(lambda d: d.people.plan_erasure("1002")),
        "people.register": Verb(
            lambda d: d.people.register("student", local_id="1009", given_name="Cleo")
        ),
        "people.release_hold": Verb(lambda d: d.people.release_hold(_hold(d))),
        "people.where": Verb(lambda d: d.people.where(F.grade == "09").all()),
        "places.add": Verb(
            lambda d: d.places.add("room", "Room 14", code="LHS-14", within="LHS"), once=True
        ),
        "places.change": Verb(lambda d: d.places.change("LHS-12", name="Media Center"), once=True),
        "places.get": Verb(lambda d: d.places.get("LHS-12")),
        "places.tree": Verb(lambda d: d.places.tree()),
        "places.where": Verb(lambda d: d.places.where().all()),
        "policy.adopt": Verb(lambda d: d.policy.adopt("[custody]\nmax_devices = 3\n"), once=True),
        "policy.current": Verb(lambda d: d.policy.current()),
        "pull": Verb(lambda d: d.pull(_fleet({"status": "DISABLED"}), workers=1), several=True),
        "retention.expiring": Verb(lambda d: d.retention.expiring(on=date(2040, 1, 1))),
        "retention.identities": Verb(lambda d: d.retention.identities()),
        "retention.rotate": Verb(lambda d: d.retention.rotate(_KEYS)),
        "retention.run": Verb(
            lambda d: d.retention.run(on=date(2040, 1, 1), dry_run=False, wipe=False), several=True
        ),
        "runs.get": Verb(lambda d: d.runs.get(_run_id(d))),
        "runs.items": Verb(lambda d: d.runs.items(_run_id(d)).all()),
        "runs.list": Verb(lambda d: d.runs.list().all()),
        "runs.of_device": Verb(lambda d: d.runs.of_device(d.devices.get("G-0001").id).all()),
        "webhooks.add": Verb(_add_webhook),
        "webhooks.change": Verb(
            lambda d: d.webhooks.change("portal", types=["device.*"], rules=_LOCAL), once=True
        ),
        "webhooks.dead": Verb(lambda d: d.webhooks.dead(webhook="portal").all()),
        "webhooks.deliver": Verb(_deliver, several=True),
        "webhooks.disable": Verb(lambda d: d.webhooks.disable("portal")),
        "webhooks.enable": Verb(lambda d: d.webhooks.enable("portal")),
        "webhooks.get": Verb(lambda d: d.webhooks.get("portal")),
        "webhooks.list": Verb(lambda d: d.webhooks.list().all()),
        "webhooks.progress": Verb(lambda d: d.webhooks.progress("portal")),
        "webhooks.replay": Verb(lambda d: d.webhooks.replay("portal")),
        "webhooks.test": Verb(_test_webhook),
        "webhooks.waiting": Verb(lambda d: d.webhooks.waiting(webhook="portal").all()),
    }
)
"""Each verb by its name. Write a line for a new one; it is called with a furnished district."""
