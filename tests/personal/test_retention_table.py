"""Every kind of record says what an erasure does to it, how long it is kept, and who says so."""

from assetflow.model import KIND_RETENTION, PROGRAMME_RULES, Handling, RetentionPolicy, Role
from assetflow.store.schema import KINDS


def test_every_kind_has_its_retention():
    assert set(KIND_RETENTION) == set(KINDS), "add the kind to assetflow.model.retention"
    assert all(k.until and k.source for k in KIND_RETENTION.values())


def test_a_kind_with_personal_columns_is_not_simply_kept():
    for name, kind in KINDS.items():
        personal = [c for c in kind.columns if c.role is Role.PERSONAL]
        if personal and name != "recipient":
            assert KIND_RETENTION[name].handling not in (Handling.KEPT, Handling.NOBODY), name


def test_a_programme_s_years_are_a_key_of_the_policy():
    keys = {r.years_key for r in PROGRAMME_RULES.values()} - {None}
    assert all(getattr(RetentionPolicy(), key) == 10 for key in keys)
