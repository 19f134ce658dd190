"""The import contracts forbid what they say they forbid.

Each arrow is drawn the wrong way in a small tree shaped as the house, and the contract must break.
`python scripts/dev.py lint` runs this beside the contracts themselves.
"""

import configparser
import os
import subprocess
import sys

import pytest

pytest.importorskip("importlinter", reason="import-linter: python scripts/dev.py lint")

ROOMS = """
    cli codec connectors connectors/google connectors/oneroster district exchange files model reconcile rules
    reports store store/sql testing wire workflows
"""
SOUND = {
    "__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import assetflow.district\n",
    "errors.py": "",
    "codec/rows.py": "import cattrs\n",
    "connectors/spec.py": "import assetflow.wire.drivers\n",
    "connectors/google/calls.py": "import assetflow.connectors.spec\n",
    "exchange/pull.py": "import assetflow.connectors.spec\nimport assetflow.workflows\n",
    "store/memory.py": "",
    "store/sql/tables.py": "import alembic\nimport sqlalchemy\nimport sqlite3\n",
    "testing/conformance.py": "import hypothesis\nimport pytest\n",
    "testing/canned.py": "",
    "testing/demo.py": "",
    "testing/google.py": "import http.server\nimport assetflow.connectors.google.calls\n",
    "testing/receiver.py": "import http.server\n",
    "testing/seed.py": "import assetflow.district\n",
    "testing/seed_files.py": "",
    "testing/seed_values.py": "",
    "wire/drivers.py": "import httpcore\nimport httpx\nimport tenacity\nimport truststore\n",
}
WRONG = [
    ("rooms", "model/device.py", "import assetflow.rules"),
    ("rooms", "workflows/custody.py", "import assetflow.exchange.pull"),
    ("rooms", "district/session.py", "import assetflow.cli"),
    ("rooms", "unheard_of.py", ""),
    ("connectors", "connectors/apple/__init__.py", "import assetflow.connectors.google.calls"),
    ("root", "exchange/push.py", "from assetflow import open"),
    ("pure", "rules/late.py", "import logging"),
    ("pure", "reconcile/late.py", "from time import time"),
    ("store", "store/late.py", "import assetflow.rules"),
    ("wire", "wire/late.py", "import assetflow.store.memory"),
    ("files", "files/late.py", "import assetflow.wire.drivers"),
    ("observers", "connectors/google/late.py", "import assetflow.store.memory"),
    ("workflows", "workflows/late.py", "import assetflow.wire.drivers"),
    ("workflows", "workflows/late.py", "import socket"),
    ("adapters", "exchange/late.py", "import assetflow.store.sql.tables"),
    ("http", "connectors/google/late.py", "import httpx"),
    ("http", "exchange/late.py", "import tenacity"),
    ("sql", "workflows/late.py", "import sqlite3"),
    ("converters", "exchange/late.py", "import cattrs"),
    ("fakes", "testing/google.py", "import pytest"),
]


@pytest.fixture
def tree(tmp_path):
    for room in ROOMS.split():
        (tmp_path / "assetflow" / room).mkdir(parents=True, exist_ok=True)
        (tmp_path / "assetflow" / room / "__init__.py").touch()
    for name, text in SOUND.items():
        (tmp_path / "assetflow" / name).write_text(text)
    return tmp_path


def contracts(root) -> list[str]:
    read = configparser.ConfigParser()
    read.read(root / ".importlinter")
    return [s.rpartition(":")[2] for s in read.sections() if s.startswith("importlinter:")]


def lint(root, tree, *only: str) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command as run; run()"
    chosen = [part for name in only for part in ("--contract", name)]
    return subprocess.run(
        [sys.executable, "-c", code, "--config", root / ".importlinter", "--no-cache", *chosen],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sound_house_keeps_every_contract(root, tree):
    done = lint(root, tree)
    assert "0 broken" in done.stdout, done.stdout


@pytest.mark.parametrize(("contract", "name", "line"), WRONG, ids=str)
def test_an_arrow_the_wrong_way_is_seen(root, tree, contract, name, line):
    path = tree / "assetflow" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + line + "\n")
    assert "BROKEN" in lint(root, tree, contract).stdout


def test_every_contract_is_broken_by_some_arrow(root):
    assert set(contracts(root)) == {contract for contract, _, _ in WRONG}
