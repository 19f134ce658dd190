"""The documentation: generated pages are current, every page is in the navigation, and griffe
sees what attrs builds."""

import inspect
import re
import subprocess
import sys

import griffe
import pytest

from assetflow.model import Custody
from assetflow.wire import Call


def test_generated_pages_say_what_the_code_says(root):
    done = subprocess.run(
        [sys.executable, "docs/_ext/generate.py", "--check"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_in_the_navigation(root):
    told = (root / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    named = set(re.findall(r": ([\w/.-]+\.md)$", told, re.MULTILINE))
    docs = root / "docs"
    there = {str(p.relative_to(docs)).replace("\\", "/") for p in docs.rglob("*.md")}
    assert named == {p for p in there if not p.startswith("_ext")}


@pytest.fixture(scope="module")
def loaded(root):
    extensions = griffe.load_extensions(str(root / "docs" / "_ext" / "griffe_attrs.py"))
    return griffe.load("assetflow", search_paths=[root / "src"], extensions=extensions)


@pytest.mark.parametrize("cls", [Custody, Call], ids=lambda cls: cls.__name__)
def test_the_reference_shows_the_constructor_that_attrs_writes(loaded, cls):
    seen = loaded[f"{cls.__module__.removeprefix('assetflow.')}.{cls.__name__}"].parameters
    real = inspect.signature(cls).parameters.values()
    assert [p.name for p in seen][1:] == [p.name for p in real]
    assert [p.kind.name for p in seen][1:] == [p.kind.name.lower() for p in real]
    assert [p.default is None for p in seen][1:] == [p.default is p.empty for p in real]


def test_the_reference_labels_personal_fields(loaded):
    given = loaded["model.people.Person.given_name"]
    assert "personal" in given.labels


def test_every_attrs_class_of_the_package_gets_its_real_parameters(loaded, root):
    import importlib

    import attrs

    wrong = []
    for path in sorted((root / "src" / "assetflow" / "model").glob("[a-z]*.py")):
        module = importlib.import_module(f"assetflow.model.{path.stem}")
        for cls in vars(module).values():
            if not (attrs.has(cls) and cls.__module__ == module.__name__):
                continue
            seen = [p.name for p in loaded[f"model.{path.stem}.{cls.__name__}"].parameters][1:]
            if seen != list(inspect.signature(cls).parameters):
                wrong.append(cls.__name__)
    assert wrong == []
