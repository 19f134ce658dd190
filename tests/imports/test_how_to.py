"""The how-to prints every field, heading and word that the tables know."""

from pathlib import Path

import pytest

from assetflow.exchange.imports.fields import DEVICE_COLUMNS, PERSON_COLUMNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "import-a-spreadsheet.md"
SPECS = [*DEVICE_COLUMNS.values(), *PERSON_COLUMNS.values()]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_field_stands_on_the_page_with_its_headings_and_words(spec):
    page = PAGE.read_text(encoding="utf-8")
    assert f"| `{spec.name}` | {spec.label} | {', '.join(spec.known_as)} |" in page
    rows = {}
    for word, sets in spec.words.items():
        meaning = ", ".join(f"`{name} = {value.value}`" for name, value in sets.items())
        rows.setdefault(meaning, []).append(word)
    for meaning, words in rows.items():
        assert f"| {meaning} | {', '.join(words)} |" in page
