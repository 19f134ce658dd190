"""Exit codes are a table, complete and in step with what an error says a program should do."""

import json

import pytest

from assetflow import errors
from assetflow.cli.exits import EXIT_CODES, MEANINGS, exit_code, tell_error

ALL = list(errors.all_errors())
# The codes that scripts rely on; changing one is a breaking change.
PROMISED = {
    "assetflow-error": 1,
    "journal-broken": 1,
    "store-damaged": 1,
    "config": 3,
    "missing-extra": 3,
    "policy": 3,
    "district-required": 3,
    "schema-too-new": 3,
    "store-unavailable": 3,
    "store-read-only": 3,
    "store-full": 3,
    "auth": 4,
    "permission-denied": 4,
    "rate-limited": 5,
    "unreachable": 5,
    "deadline": 5,
    "store-locked": 5,
    "incomplete-listing": 5,
    "not-found": 6,
    "ambiguous": 6,
    "file-unreadable": 6,
    "unknown-columns": 6,
    "device-in-other-hands": 7,
    "holder-blocked": 7,
    "stale-version": 7,
    "plan-changed": 7,
    "change-guard": 7,
    "run-in-progress": 7,
}


def test_every_error_has_an_exit_code_with_a_meaning():
    assert set(EXIT_CODES) == {cls.code for cls in ALL}
    assert set(EXIT_CODES.values()) <= set(MEANINGS)


@pytest.mark.parametrize(("code", "expected"), PROMISED.items())
def test_the_codes_that_scripts_rely_on(code, expected):
    assert EXIT_CODES[code] == expected


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
def test_the_exit_code_fits_the_recovery(cls):
    fits = {
        errors.Recovery.RETRY: {5, 7},
        errors.Recovery.FIX_CONFIG: {3, 4},
        errors.Recovery.FIX_INPUT: {6, 7},
        errors.Recovery.SKIP: {6, 7},
        errors.Recovery.REPORT: {1, 6, 7},
    }
    assert EXIT_CODES[cls.code] in fits[cls.recovery]


def test_a_subclass_that_a_plugin_adds_ends_like_its_parent():
    class Quota(errors.RateLimited):
        code = "quota"

    assert exit_code(Quota("no more today")) == 5


def test_an_error_is_told_as_what_happened_what_to_do_and_its_code():
    error = errors.HolderBlocked("the holder has 1 hold", rule="custody.holds", holds=("balance",))
    assert tell_error(error, as_json=False).splitlines() == [
        "The holder has 1 hold.",
        "  about  rule custody.holds; holds balance",
        "  do     Clear the holds that the context names, or override with a reason.",
        "  code   holder-blocked",
    ]


def test_an_error_in_json_is_a_document():
    told = json.loads(tell_error(errors.StoreLocked("busy"), as_json=True))
    assert told["kind"] == "error"
    assert told["schema_version"] == 1
    assert told["data"]["code"] == "store-locked"
    assert told["data"]["recovery"] == "retry"
