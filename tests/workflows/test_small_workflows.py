"""Actors, notes, keys and the adopted policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import IdempotencyMismatch, InvalidValue, PolicyError
from assetflow.model import Actor, AdoptedPolicy, DistrictPolicy, Note, Query, Remembered
from assetflow.store.journal import load_event
from assetflow.workflows.actors import actor_for
from assetflow.workflows.notes import LONGEST_NOTE, add_note
from assetflow.workflows.once import fingerprint, once
from assetflow.workflows.policy import adopt_policy, current_policy


def find_actor(world, label):
    with world.store.write("lincoln") as tx:
        return actor_for(tx, label, new_id=world.new_id)


# --- actors ------------------------------------------------------------------------------------


def test_an_actor_is_made_once_and_found_again(world):
    first = find_actor(world, "it@lincoln.example")
    assert find_actor(world, "it@lincoln.example") == first
    assert find_actor(world, " it@lincoln.example ") == first
    assert find_actor(world, "nightly-pull") != first
    assert world.get(Actor, first).label == "it@lincoln.example"


def test_of_two_rows_of_one_label_the_older_answers(world):
    world.add(Actor(id="z-later", label="script"), Actor(id="a-sooner", label="script"))
    assert find_actor(world, "script") == "a-sooner"


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, "a\x00b", None])
def test_a_label_is_a_short_line(world, label):
    with pytest.raises(InvalidValue):
        find_actor(world, label)
    assert world.ask(lambda tx: tx.count(Query(kind=Actor))) == 0


# --- notes -------------------------------------------------------------------------------------


def test_a_note_is_kept_beside_the_journal(world):
    device = world.device("d-1")
    head = world.head()
    note_id = world.do(
        add_note, "device", device.id, "  Found under the bleachers.\nScreen fine.\n"
    )
    note = world.get(Note, note_id)
    assert note.text == "Found under the bleachers.\nScreen fine."
    assert (note.subject_kind, note.subject_id, note.written_at) == ("device", "d-1", world.now)
    assert world.head() == head


@pytest.mark.parametrize("text", ["", " \n ", "x" * (LONGEST_NOTE + 1), None, 7])
def test_a_note_that_cannot_be_kept(world, text):
    with pytest.raises(InvalidValue):
        world.do(add_note, "device", "d-1", text)
    assert world.ask(lambda tx: tx.count(Query(kind=Note))) == 0


def test_the_longest_note_is_kept_whole(world):
    note_id = world.do(add_note, "person", "p-1", "é" * LONGEST_NOTE)
    assert world.get(Note, note_id).text == "é" * LONGEST_NOTE


# --- once --------------------------------------------------------------------------------------


def run(world, key, *, parts=("a",), calls=None, act=None, fails=False):
    def do():
        calls.append("done")
        if fails:
            raise LookupError
        return {"id": f"r-{len(calls)}"}

    with world.store.write("lincoln") as tx:
        return once(
            tx, act or world.act(), key, what="test", parts=parts, do=do, ids=dict, recall=dict
        )


def test_without_a_key_it_is_done_each_time(world):
    calls = []
    assert run(world, None, calls=calls) != run(world, None, calls=calls)
    assert world.ask(lambda tx: tx.count(Query(kind=Remembered))) == 0


def test_under_a_key_it_is_done_once(world):
    calls = []
    first = run(world, "k", calls=calls)
    world.later(days=400)
    assert run(world, "k", calls=calls) == first == {"id": "r-1"}
    assert calls == ["done"]


def test_another_request_or_actor_under_the_key_is_an_error(world):
    calls = []
    run(world, "k", calls=calls)
    for other in ({"parts": ("b",)}, {"parts": ("a", None)}, {"act": world.act(actor_id="else")}):
        with pytest.raises(IdempotencyMismatch):
            run(world, "k", calls=calls, **other)
    assert calls == ["done"]


def test_what_failed_leaves_the_key_free(world):
    calls = []
    with pytest.raises(LookupError):
        run(world, "k", calls=calls, fails=True)
    assert run(world, "k", calls=calls) == {"id": "r-2"}


@given(
    st.lists(st.none() | st.text(max_size=5), max_size=4),
    st.lists(st.none() | st.text(max_size=5), max_size=4),
)
def test_two_requests_have_one_fingerprint_exactly_when_they_are_equal(worlds, one, two):
    act = worlds().act()
    assert (fingerprint(act, "x", one) == fingerprint(act, "x", two)) == (one == two)


# --- policy ------------------------------------------------------------------------------------

TEXT = '# ours\n[custody]\nmax_devices = 5\n[sites]\n"/Students/LHS" = "LHS"\n'


def test_without_an_adopted_policy_the_defaults_hold(world):
    assert world.ask(current_policy) == DistrictPolicy()


def test_a_policy_is_adopted_as_written_and_once(world):
    adopted = world.do(adopt_policy, TEXT)
    assert adopted.custody.max_devices == 5
    assert world.ask(current_policy) == adopted
    assert world.get(AdoptedPolicy, "policy").text == TEXT
    event, _ = world.ask(lambda tx: load_event(list(tx.journal())[-1]))
    assert event.digest == adopted.digest == DistrictPolicy.from_toml(TEXT).digest
    assert world.get(AdoptedPolicy, "policy").digest == event.digest
    head = world.head()
    world.do(adopt_policy, TEXT)
    assert world.head() == head
    world.do(adopt_policy, TEXT.replace("5", "6"))
    assert world.ask(current_policy).custody.max_devices == 6
    assert world.get(AdoptedPolicy, "policy").version == 2
    world.check()


def test_a_wrong_policy_is_not_adopted(world):
    head = world.head()
    with pytest.raises(PolicyError) as caught:
        world.do(adopt_policy, "[custody]\nmax_devices = 0\n")
    assert caught.value.context["line"] == 2
    assert world.head() == head
    assert world.ask(current_policy) == DistrictPolicy()
