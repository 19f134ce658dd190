"""Every Python block of README and docs runs, each page from top to bottom in an empty folder."""

import unittest
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
READER = Sybil(parsers=[SkipParser(), PythonCodeBlockParser()], path=str(ROOT))
DOCUMENTS = {
    page.relative_to(ROOT).as_posix(): READER.parse(page) for page in PAGES if page.exists()
}
WITH_CODE = sorted(name for name, document in DOCUMENTS.items() if list(document.examples()))


@pytest.mark.parametrize("name", WITH_CODE)
@pytest.mark.timeout(120)
def test_the_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skipped = []
    for example in DOCUMENTS[name].examples():
        try:
            example.evaluate()
        except unittest.SkipTest as why:
            skipped.append(f"line {example.line}: {why}")
    if skipped and len(skipped) == len(list(DOCUMENTS[name].examples())):
        pytest.skip("; ".join(skipped))
