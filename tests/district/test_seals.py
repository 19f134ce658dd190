"""A history that was rewritten verifies by itself, and not against a seal from before."""

import sqlite3
from hashlib import sha256

import pytest

import assetflow as af
from assetflow.errors import JournalBroken, SealInvalid
from assetflow.store.journal import BEGINNING

KEY = b"0123456789abcdef"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lincoln.db"


@pytest.fixture
def lincoln(file):
    with af.open(file, district="lincoln", create=True, actor="it@lincoln.example") as district:
        for n in range(4):
            district.devices.register(asset_tag=f"LHS-{n}", serial=f"5CD{n}")
        yield district


def rewrite(file):
    """Write another history: one body changed, and every hash computed anew."""
    connection = sqlite3.connect(file)
    connection.executescript("DROP TRIGGER af_event_no_update; DROP TRIGGER af_event_no_delete")
    events = connection.execute("SELECT seq, body FROM af_event ORDER BY seq").fetchall()
    last = BEGINNING.hash
    for seq, body in events:
        told = body.replace('"asset_tag":"LHS-1"', '"asset_tag":"LHS-9"')
        digest = sha256(f"{last}{told}".encode()).hexdigest()
        connection.execute(
            "UPDATE af_event SET body = ?, prev = ?, hash = ? WHERE seq = ?",
            (told, last, digest, seq),
        )
        last = digest
    connection.execute("UPDATE af_event_head SET hash = ?", (last,))
    connection.execute(
        "UPDATE af_device SET asset_tag = 'LHS-9', tag_key = 'LHS-9' WHERE serial = '5CD1'"
    )
    connection.commit()
    connection.close()


def test_only_what_came_after_the_seal_is_hashed_again(lincoln):
    sealed = lincoln.journal.seal(key=KEY)
    assert sealed.head == lincoln.journal.head()
    lincoln.devices.register(asset_tag="LHS-8")
    found = lincoln.journal.verify(since=sealed, key=KEY)
    assert (found.ok, found.journal.events) == (True, 1)
    assert lincoln.journal.verify(since=sealed.seq).journal.events == 1
    assert lincoln.journal.seal(key=KEY, since=sealed).seq == sealed.seq + 1


def test_a_history_that_was_rewritten_is_found_by_the_seal_alone(lincoln, file):
    sealed = lincoln.journal.seal()
    rewrite(file)
    assert lincoln.journal.verify().ok
    with pytest.raises(JournalBroken) as caught:
        lincoln.journal.verify(since=sealed)
    assert caught.value.context["seq"] == sealed.seq
    with pytest.raises(JournalBroken):
        lincoln.journal.seal(since=sealed)


def test_a_history_that_was_cut_off_is_found(lincoln, file):
    lincoln.devices.register(asset_tag="LHS-8")
    sealed = lincoln.journal.seal()
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER af_event_no_delete")
    connection.execute("DELETE FROM af_event WHERE seq = ?", (sealed.seq,))
    connection.execute(
        "UPDATE af_event_head SET seq = seq - 1, hash = (SELECT hash FROM af_event WHERE seq = ?)",
        (sealed.seq - 1,),
    )
    connection.execute("DELETE FROM af_device WHERE asset_tag = 'LHS-8'")
    connection.commit()
    connection.close()
    assert lincoln.journal.verify().ok
    with pytest.raises(JournalBroken):
        lincoln.journal.verify(since=sealed)


def test_a_broken_journal_gets_no_seal(lincoln, file):
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER af_event_no_update")
    connection.execute("UPDATE af_event SET body = replace(body, 'LHS-1', 'LHS-9')")
    connection.commit()
    connection.close()
    with pytest.raises(JournalBroken):
        lincoln.journal.seal()


def test_a_seal_of_another_district_or_with_another_key_is_refused(lincoln, tmp_path):
    with af.open(tmp_path / "m.db", district="monroe", create=True) as monroe:
        foreign = monroe.journal.seal()
    with pytest.raises(SealInvalid):
        lincoln.journal.verify(since=foreign)
    plain, signed = lincoln.journal.seal(), lincoln.journal.seal(key=KEY)
    lincoln.journal.verify(since=signed)
    for sealed, key in ((plain, KEY), (signed, KEY[::-1])):
        with pytest.raises(SealInvalid):
            lincoln.journal.verify(since=sealed, key=key)
