"""No token, key, address or name gets into a log, an error, a repr or a traceback."""

import json
import logging
import pickle
import traceback

import pytest

from assetflow.connectors.google import ServiceAccount
from assetflow.errors import AssetflowError
from assetflow.testing.google import FAULTS, Fleet
from assetflow.wire import Hooks, RetryPolicy

CANARY = "canary.zebrafinch@lincoln.example"
SERIAL_NOTE = "canary-note-9f3a"


@pytest.fixture
def fleet():
    made = Fleet(devices=650)
    for index in range(0, 650, 10):
        made.change(
            index,
            annotatedUser=CANARY,
            notes=SERIAL_NOTE,
            recentUsers=[{"type": "USER_TYPE_MANAGED", "email": CANARY}],
        )
    return made


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"hang", "slow", "token-glitch"}))
def test_whatever_goes_wrong_nothing_slips_out(start, connect, fleet, caplog, fault):
    fake = start(fleet=fleet, anonymous=False, faults=[fault])
    told = []
    google = connect(
        fake,
        ServiceAccount(fake.key_file(), subject=fake.fleet.admin),
        hooks=Hooks(on_call=told.append, on_retry=told.append),
        retry=RetryPolicy(max_attempts=3, base=0.001),
    )
    errors = []
    acts = (
        lambda: list(google.chromebooks()),
        lambda: list(google.chromebooks(query=f"user:{CANARY}")),
        lambda: list(google.users()),
        lambda: google.request("GET", f"admin/directory/v1/users/{CANARY}"),
        lambda: google.get_chromebook("nothing"),
        lambda: google.find_chromebook("NOT-THERE"),
    )
    with caplog.at_level(logging.DEBUG):
        for act in acts:
            try:
                act()
            except AssetflowError as error:
                errors.append(error)
    shown = [caplog.text, repr(told), repr(google), repr(google.wire)]
    for error in errors:
        shown += ["".join(traceback.format_exception(error)), repr(error.as_dict()), error.hint]
        assert pickle.loads(pickle.dumps(error)).code == error.code
    text = "\n".join(shown)
    secrets = [CANARY, "canary.zebrafinch", SERIAL_NOTE, fake.fleet.admin, "ya29.", "eyJ", "BEGIN"]
    secrets.append(json.dumps(fake.key_file()["private_key"])[40:80])
    assert errors
    assert [secret for secret in secrets if secret in text] == []


def test_a_problem_holds_no_value(start, connect, fleet):
    fake = start(fleet=fleet, faults=["bad-record"])
    google = connect(fake)
    problems = []
    list(google.chromebooks(on_problem=problems.append))
    assert problems
    assert CANARY not in repr(problems)
    assert SERIAL_NOTE not in repr(problems)


def test_what_names_a_person_is_not_in_the_repr_of_what_was_seen(start, connect, fleet):
    google = connect(start(fleet=fleet))
    seen = next(iter(google.chromebooks()))
    assert seen.assigned_to == seen.recent_user == CANARY
    assert "canary" not in repr(seen)
