"""A sealed name whose time is over is named by its pseudonym, and the command removes it."""

from datetime import date

import assetflow.testing.stores  # noqa: F401  # first of the suite: pytest rewrites its asserts
from assetflow.model import Person, PersonKind, RetainedIdentity
from assetflow.store.memory import MemoryStore
from assetflow.testing._store.tools import save
from assetflow.workflows.attention import attention

LAST_DAY = date(2032, 9, 1)


def test_a_sealed_name_whose_time_is_over():
    store = MemoryStore()
    person = Person(id="p1", kind=PersonKind.STUDENT)
    kept = RetainedIdentity(
        person_id="p1", programme="ecf", keep_until=LAST_DAY, key_id="k", sealed=b"x"
    )
    with store.write("lincoln") as tx:
        save(tx, person, kept)
    with store.read("lincoln") as tx:
        assert attention(tx, LAST_DAY, kinds=["identity-expired"]) == []
        (item,) = attention(tx, date(2032, 9, 4), kinds=["identity-expired"])
    assert (item.subject_kind, item.subject_id, item.age_days) == ("person", "p1", 3)
    assert item.command == "assetflow retention run --apply"
