"""The lock files fit pyproject.toml, check every byte, and name no host and no path."""

import importlib.util
import re

import pytest


@pytest.fixture(scope="module")
def dev(root):
    spec = importlib.util.spec_from_file_location("assetflow_dev", root / "scripts" / "dev.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_files_were_made_from_this_pyproject(dev, root):
    assert {path.stem for path in (root / "locks").glob("*.txt")} == set(dev.LOCK_FILES)
    for name in dev.LOCK_FILES:
        first = (root / "locks" / f"{name}.txt").read_text(encoding="utf-8")
        assert f"# inputs: {dev.lock_inputs(name)}\n" in first, "run: python scripts/dev.py lock"


def test_every_pin_has_a_hash_and_nothing_names_a_place(root):
    for path in (root / "locks").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        pins = re.split(r"\n(?=[a-z0-9])", text.partition("\n# inputs")[2])[1:]
        assert len(pins) > 10
        assert all("==" in pin and "--hash=sha256:" in pin for pin in pins), path.name
        for word in ("://", "--index", "--find-links", "file:", " @ ", "/home", "/root", "/opt"):
            assert word not in text, f"{path.name} names {word}"


def test_makefile_and_runner_know_the_same_tasks(dev, root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    tasks = re.search(r"^TASKS := (.*)$", makefile, re.MULTILINE)[1].split()
    assert set(tasks) == {task.__name__ for task in dev.TASKS} - {"pythons"}
