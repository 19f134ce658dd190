"""Every document that a command writes has a JSON schema, and is as the schema says."""

import pytest

from assetflow.cli.schemas import DOCUMENTS, SCHEMAS
from assetflow.cli.shown import SCHEMA_VERSION

COMMANDS = {
    "attention.groups": ("attention", "--on", "2026-11-24"),
    "attention.items": ("attention", "--all", "--on", "2026-11-24"),
    "config.show": ("config", "show"),
    "devices.list": ("devices", "list", "--updates-end-before", "2028-01-01"),
    "doctor": ("doctor", "--offline"),
    "explain.error": ("explain", "error", "store-locked"),
    "db.status": ("db", "status"),
    "journal.seal": ("journal", "seal"),
    "journal.verify": ("journal", "verify"),
    "policy.show": ("policy", "show"),
    "runs.list": ("runs", "list"),
    "runs.show": ("runs", "show", "latest"),
}
# The keys of each row are promised; a new one is added here, none goes away.
KEYS = {
    "attention.groups": "kind title count oldest_days money money_unknown example command",
    "attention.items": ("kind subject_kind subject_id label age_days money detail call command"),
    "config.show": "setting value source",
    "devices.list": (
        "id asset_tag serial model manufacturer lifecycle custody condition management funding site "
        "room updates_end purchase_cost acquired_on warranty_ends"
    ),
    "doctor": "check ok found fix",
    "explain.error": "code meaning what_to_do recovery exit_code raised_as",
    "db.status": (
        "store engine state revision needed bytes districts events district head_seq head_hash"
    ),
    "journal.seal": "format district seq hash sealed_at signature",
    "journal.verify": "verified events checked head",
    "policy.show": "digest text",
    "runs.list": (
        "id source status started_at ended_at seen created linked changed unchanged unmatched absent "
        "disagreements problems message"
    ),
    "runs.show": "source_id outcome device_id fields reason candidates",
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_output_is_as_its_schema_says(run, looking, fits, kind):
    document = run(*COMMANDS[kind], "--profile", "demo", "--json").document
    assert document["kind"] == kind
    assert fits(document, SCHEMAS[kind]) == []
    rows = document["data"] if isinstance(document["data"], list) else [document["data"]]
    assert rows
    assert list(rows[0]) == KEYS[kind].split()


def test_the_check_finds_what_is_wrong(fits):
    schema = SCHEMAS["explain.error"]
    assert fits({"schema_version": 2, "kind": "explain.error", "data": {}}, schema)


@pytest.mark.oracle
def test_the_schemas_are_schemas():
    jsonschema = pytest.importorskip("jsonschema")
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_foreign_validator_agrees(run, looking, kind):
    jsonschema = pytest.importorskip("jsonschema")
    document = run(*COMMANDS[kind], "--profile", "demo", "--json").document
    jsonschema.validate(document, SCHEMAS[kind])


def test_every_kind_of_document_is_described():
    assert set(SCHEMAS) == {*DOCUMENTS, "error"}
    for kind, schema in SCHEMAS.items():
        assert schema["properties"]["schema_version"] == {"const": SCHEMA_VERSION}
        assert schema["title"] == kind
        assert schema["description"].endswith(".")


def test_no_command_writes_a_document_that_is_not_described(monkeypatch):
    import re
    from pathlib import Path

    import assetflow.cli

    told = set()
    for path in Path(assetflow.cli.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        told |= set(re.findall(r"out\.(?:listing|single)\(\s*\"([\w.-]+)\"", text))
        told |= set(re.findall(r"tell_custody\([\w.]+, \"([\w-]+)\"", text))
    assert told == set(DOCUMENTS)
