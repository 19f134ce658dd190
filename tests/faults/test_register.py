"""The check of a device's history, checked: it takes what an order explains, and nothing else."""

from itertools import permutations

import pytest
from harness.register import INFINITE, Call, by_device, calls_of, follows, linearizable
from hypothesis import given
from hypothesis import strategies as st

OK, THEIRS, OTHERS = "ok", "already-theirs", "device-in-other-hands"
NOT_OUT, WRONG, UNKNOWN = "not-checked-out", "wrong-holder", "unknown"


def call(verb, person, begun, ended, outcome=OK):
    return Call(verb, person, begun, INFINITE if outcome == UNKNOWN else ended, outcome)


@pytest.mark.parametrize(
    ("history", "explained"),
    [
        ([], True),
        ([call("out", "ann", 1, 2), call("in", "ann", 3, 4), call("out", "ben", 5, 6)], True),
        ([call("out", "ann", 1, 2), call("out", "ben", 3, 4)], False),  # in two hands
        ([call("out", "ann", 1, 4), call("out", "ben", 2, 3)], False),  # at once: still two
        ([call("out", "ann", 1, 9), call("in", "ann", 2, 8)], True),  # at once: out came first
        ([call("in", "ann", 1, 2), call("out", "ann", 3, 4)], False),  # back before it was out
        ([call("out", "ann", 1, 2), call("out", "ben", 3, 4, OTHERS)], True),
        ([call("out", "ben", 1, 2, OTHERS), call("out", "ann", 3, 4)], False),  # nobody had it
        ([call("out", "ann", 1, 2), call("out", "ann", 3, 4, THEIRS)], True),
        ([call("out", "ann", 1, 2), call("out", "ben", 3, 4, THEIRS)], False),
        ([call("out", "ann", 1, 2), call("in", "ben", 3, 4, WRONG)], True),
        ([call("out", "ann", 1, 2), call("in", "ann", 3, 4, NOT_OUT)], False),  # a lost check-out
        ([call("out", "ann", 1, 2, UNKNOWN), call("out", "ben", 5, 6)], True),
        ([call("out", "ann", 1, 2, UNKNOWN), call("out", "ben", 5, 6, OTHERS)], True),
        ([call("out", "ann", 4, 5, UNKNOWN), call("out", "ben", 1, 2, OTHERS)], False),
        ([call("out", "ann", 1, 2, "no-such-answer")], False),
    ],
)
def test_a_history_is_taken_when_an_order_explains_it(history, explained):
    assert linearizable(history) is explained


def one_after_another(history, start=None):
    """The definition, word by word: some order, in which nothing is before what it came after."""
    return any(
        _possible(order) and _explains(order, start)
        for size in range(len(history) + 1)
        for order in permutations(history, size)
        if all(c in order or c.outcome == UNKNOWN for c in history)
    )


def _possible(order):
    return all(
        earlier.begun <= later.ended for at, earlier in enumerate(order) for later in order[at:]
    )


def _explains(order, has):
    held = {has}
    for each in order:
        held = {after for h in held for after in follows(each, h)}
    return bool(held)


@st.composite
def histories(draw):
    found = []
    for at in range(draw(st.integers(0, 5))):
        begun = draw(st.integers(0, 8))
        verb = draw(st.sampled_from(["out", "in"]))
        answers = [OK, OTHERS, THEIRS] if verb == "out" else [OK, NOT_OUT, WRONG]
        found.append(
            call(
                verb,
                draw(st.sampled_from(["ann", "ben"])),
                begun * 10 + at,
                begun * 10 + at + draw(st.integers(1, 60)),
                draw(st.sampled_from([*answers, UNKNOWN])),
            )
        )
    return found


@given(histories())
def test_it_is_the_definition(history):
    assert linearizable(history) is one_after_another(history)


def test_an_answer_that_says_nothing_leaves_the_call_open():
    words = [["d1", "out", "ann", 1, 2, "ok"], ["d1", "in", "ann", 3, 4, "failed: store-locked"]]
    [(device, history)] = by_device(calls_of(words)).items()
    assert device == "d1"
    assert [(c.ended, c.outcome) for c in history] == [(2, "ok"), (INFINITE, "unknown")]
