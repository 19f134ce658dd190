"""Each verb of the facade has a row, and each call of the database that it makes may fail."""

import pytest
from harness.breaking import break_calls
from harness.verbs import NO_CALL, VERBS, facade_verbs


def test_every_verb_of_the_facade_has_a_row():
    """Add a line to VERBS in harness/verbs.py for a new verb."""
    assert facade_verbs() == VERBS.keys() | NO_CALL.keys()
    assert not VERBS.keys() & NO_CALL.keys()


# Few calls, and each kind of work: the others are slow.
@pytest.mark.parametrize("name", ["custody.check_in", "devices.register", "people.where"])
def test_a_verb_survives_a_fault_in_each_of_its_calls(furnished, name):
    assert break_calls(furnished, name).checks >= 8


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", VERBS)
def test_every_verb_survives_a_fault_in_each_of_its_calls(furnished, name):
    assert break_calls(furnished, name).checks >= 8
