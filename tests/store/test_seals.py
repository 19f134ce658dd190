"""A seal is small text that says which history was there; any other history, seal or key is refused."""

import json
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import InvalidValue, SealInvalid
from assetflow.store.journal import BEGINNING
from assetflow.store.ports import Head
from assetflow.store.seals import Seal, seal
from assetflow.testing import strategies

AT = datetime(2026, 11, 24, 13, 40, tzinfo=UTC)
KEY = b"0123456789abcdef"
HEAD = Head(17, "ab" * 32)


@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    strategies.instants(),
    st.none() | st.binary(min_size=16),
)
def test_a_seal_is_read_again_as_it_was(district, seq, digest, at, key):
    made = seal(district, Head(seq, digest.hex()), at=at, key=key)
    again = Seal.from_text(made.to_text())
    assert again == made
    assert again.head == Head(seq, digest.hex())
    if key is not None:
        again.check(key)


def test_a_seal_in_the_document_of_the_command_line_is_read_too():
    made = seal("lincoln", HEAD, at=AT)
    document = {"schema_version": 1, "kind": "journal.seal", "data": made.as_dict()}
    assert Seal.from_text(json.dumps(document)) == made


@pytest.mark.parametrize(
    "changed",
    [
        {"district": "monroe"},
        {"seq": 18},
        {"hash": "cd" * 32},
        {"sealed_at": datetime(2026, 11, 25, tzinfo=UTC)},
        {"signature": "00" * 32},
        {"signature": None},
    ],
)
def test_whatever_was_changed_the_signature_no_longer_fits(changed):
    made = seal("lincoln", HEAD, at=AT, key=KEY)
    made.check(KEY)
    with pytest.raises(SealInvalid):
        evolve(made, **changed).check(KEY)


def test_another_key_does_not_fit():
    with pytest.raises(SealInvalid):
        seal("lincoln", HEAD, at=AT, key=KEY).check(KEY[::-1])


def test_a_key_that_can_be_guessed_is_refused():
    with pytest.raises(InvalidValue):
        seal("lincoln", HEAD, at=AT, key=b"secret")


def test_there_is_nothing_to_seal_before_the_first_event():
    with pytest.raises(InvalidValue):
        seal("lincoln", BEGINNING, at=AT)


GOOD = seal("lincoln", HEAD, at=AT, key=KEY).as_dict()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17 " + "ab" * 32,
        "[]",
        "[" * 100_000,
        "{}",
        *(
            json.dumps(GOOD | wrong)
            for wrong in (
                {"format": "assetflow-seal-2"},
                {"district": 7},
                {"seq": "17"},
                {"seq": True},
                {"seq": 0},
                {"hash": "AB" * 32},
                {"hash": "ab"},
                {"hash": None},
                {"sealed_at": "yesterday"},
                {"sealed_at": None},
                {"signature": 5},
                {"signature": "short"},
            )
        ),
    ],
)
def test_what_is_no_seal_is_refused(text):
    with pytest.raises(SealInvalid) as caught:
        Seal.from_text(text)
    assert caught.value.context == {}
