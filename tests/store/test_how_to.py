"""The store that `docs/how-to/write-a-store.md` shows is a store: it passes the whole suite."""

import re
from pathlib import Path

import pytest

from assetflow.testing import StoreConformance, store_machine

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-store.md"


def copying_store():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    shown = {}
    for block in blocks:
        if re.search(r"^class (Reading|Writing|CopyingStore)\b", block, re.MULTILINE):
            exec(compile(block, PAGE.name, "exec"), shown)
    return shown["CopyingStore"]


CopyingStore = copying_store()


class TestCopyingStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return CopyingStore()


TestCopyingMachine = store_machine(CopyingStore).TestCase
