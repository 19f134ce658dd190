"""Which events a webhook is told of, and how they are put together."""

import pytest

import assetflow as af
from assetflow.errors import DuplicateKey, InvalidValue, NotFound
from assetflow.exchange.webhooks.planning import look
from assetflow.model import BatchId, WebhookStatus


@pytest.fixture
def planned(district, clock):
    """The events that a webhook would be told of, as lists of sequence numbers."""

    def plan(name="portal"):
        session = district._session
        webhook = district.webhooks.get(name)
        with session.read() as tx:
            found = look(tx, webhook, now=clock(), new_id=session.new_id)
            if found is None:
                return []
            types = {s.seq: s.type.partition("@")[0] for s in tx.journal()}
        return [[types[seq] for seq in d.seqs] for d in found.deliveries]

    return plan


@pytest.fixture
def add(district):
    def make(name="portal", **settings):
        given = {"url": "https://portal.example/hook", "secrets": ["${PORTAL_SECRET}"]}
        return district.webhooks.add(name, **(given | settings))

    return make


@pytest.fixture
def schools(district):
    """Two schools; a room in the first."""
    high = district.places.add("site", "Lincoln High", code="LHS")
    room = district.places.add("room", "Library", code="LIB", within="LHS")
    middle = district.places.add("site", "Grant Middle", code="GMS")
    return high, room, middle


def flat(planned):
    return [name for group in planned for name in group]


def test_by_name_and_by_kind(district, add, planned):
    add("one", types=["device.edited"])
    add("kind", types=["device.*"])
    add("cloud", types=["org.assetflow.device.edited", "device.edited@1"])
    district.devices.register(asset_tag="A1")
    district.devices.edit("A1", condition="good")
    district.places.add("site", "Lincoln High")
    assert flat(planned("one")) == ["device.edited"]
    assert flat(planned("kind")) == ["device.registered", "device.edited"]
    assert flat(planned("cloud")) == ["device.edited"]


def test_by_field(district, add, planned):
    add("condition", fields=["condition"])
    add("money", fields=["purchase_cost"])
    add("names", fields=["given_name"])
    district.devices.register(asset_tag="A1", condition=af.Condition.FAIR)
    district.devices.edit("A1", condition="good")
    district.devices.edit("A1", purchase_cost=af.usd("299.00"))
    district.people.register(kind="student", given_name="Ada", local_id="1")
    assert flat(planned("condition")) == ["device.registered", "device.edited"]
    assert flat(planned("money")) == ["device.edited"]
    assert flat(planned("names")) == ["person.registered"]


def test_by_place_with_what_is_within(district, add, planned, schools):
    high, room, middle = schools
    add("high", sites=["LHS"])
    add("room", sites=["LIB"])
    add("middle", sites=["GMS"])
    district.devices.register(asset_tag="A1", site_id=high.id)
    district.devices.register(asset_tag="A2", site_id=room.id)
    district.devices.register(asset_tag="A3", site_id=middle.id)
    district.devices.register(asset_tag="A4")
    district.places.change("LIB", name="Library 2")
    assert flat(planned("high")) == ["device.registered", "device.registered", "place.changed"]
    assert flat(planned("room")) == ["device.registered", "place.changed"]
    assert flat(planned("middle")) == ["device.registered"]


def test_a_move_is_told_to_both_schools_and_the_place_is_that_of_the_event(
    district, add, planned, schools
):
    high, _, middle = schools
    add("high", sites=["LHS"], types=["device.*"])
    add("middle", sites=["GMS"], types=["device.*"])
    district.devices.register(asset_tag="A1", site_id=high.id)  # high
    district.devices.edit("A1", condition="good")  # high
    district.devices.edit("A1", site_id=middle.id)  # both
    district.devices.edit("A1", condition="fair")  # middle
    assert len(flat(planned("high"))) == 3
    assert len(flat(planned("middle"))) == 2


def test_a_custody_is_at_the_place_of_its_device(district, add, planned, schools):
    high, _, _ = schools
    district.devices.register(asset_tag="A1", site_id=high.id, condition=af.Condition.GOOD)
    person = district.people.register(kind="student", local_id="204881")
    add("high", sites=["LHS"])
    add("middle", sites=["GMS"])
    district.custody.check_out("A1", to=person)
    assert flat(planned("high")) == ["device.checked_out"]
    assert flat(planned("middle")) == []


def test_a_bulk_act_is_cut_where_something_else_comes_between(district, add, planned):
    add(batch_size=3, types=["place.changed"])

    def places(names, batch):
        from assetflow.model import PlaceKind
        from assetflow.workflows.places import upsert_place

        for name in names:
            district._session.write(
                lambda tx, act, name=name: upsert_place(tx, act, PlaceKind.SITE, name),
                batch_id=batch and BatchId(batch),
            )

    places(["a", "b", "c", "d"], "one")
    places(["e"], None)
    places(["f", "g"], None)
    places(["h"], "one")
    places(["i"], "two")
    district.devices.register(asset_tag="A1")  # not told, so nothing comes between
    places(["j"], "two")
    assert [len(group) for group in planned()] == [3, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://portal.example/"},
        {"url": "https://user:pw@portal.example/"},
        {"secrets": []},
        {"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]},
        {"secrets": ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]},
        {"secrets": ["${A}", "${B}", "${C}", "${D}", "${E}"]},
        {"types": ["device.exploded"]},
        {"types": "device.edited"},
        {"fields": ["colour"]},
        {"batch_size": 0},
        {"batch_size": 1_001},
        {"batch_size": True},
    ],
    ids=str,
)
def test_a_webhook_that_cannot_be_is_refused(add, district, wrong):
    with pytest.raises(InvalidValue) as caught:
        add(**wrong)
    assert "MfKQ" not in repr(caught.value.as_dict())
    assert district.webhooks.list().count() == 0


@pytest.mark.parametrize("name", ["", "Portal", "a b", "-a", "x" * 65, "a/b"])
def test_a_name_is_a_code(add, name):
    with pytest.raises(InvalidValue):
        add(name)


def test_names_are_unique_and_unknown_ones_are_refused(add, district):
    add()
    with pytest.raises(DuplicateKey):
        add()
    with pytest.raises(NotFound):
        add("other", sites=["nowhere"])
    with pytest.raises(NotFound):
        district.webhooks.get("nobody")


def test_a_change_is_journalled_by_field_and_the_same_again_is_none(add, district):
    made = add()
    secrets = ["KEYRING:assetflow/portal", "${PORTAL_SECRET}"]
    changed = district.webhooks.change(
        "portal", url="https://portal.example/other", secrets=secrets, types=["device.*"]
    )
    assert changed.version == 2
    assert changed.secret_names == tuple(secrets)
    assert district.webhooks.change(changed, types=["device.*"]).version == 2
    with pytest.raises(InvalidValue):
        district.webhooks.change("portal", status="active")
    events = [e for _, e, _ in district.journal.events(subject=("webhook", made.id))]
    assert [type(e).__name__ for e in events] == ["WebhookAdded", "WebhookChanged"]
    assert set(events[1].fields) == {"url", "secret_names", "types"}


def test_disable_and_enable(add, district):
    add()
    assert district.webhooks.disable("portal", because="moved").disabled_because == "moved"
    assert district.webhooks.disable("portal").version == 2
    with pytest.raises(InvalidValue):
        district.webhooks.disable("portal", because="the principal said so")
    enabled = district.webhooks.enable("portal")
    assert (enabled.status, enabled.disabled_because) == (WebhookStatus.ACTIVE, None)
    assert district.webhooks.enable("portal").version == enabled.version
