"""The reference of policy keys is what the code says. WRITE_POLICY_KEYS=1 writes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from assetflow.model.policy import HOLD_KINDS, policy_keys

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "policy.md"
KEYS = re.compile(r"(<!-- keys: .*? -->\n)(.*?)(<!-- end of keys -->)", re.DOTALL)
WRITE = bool(os.environ.get("WRITE_POLICY_KEYS"))


def table() -> str:
    """Every key: what it means, what may be written, what holds when it is not."""
    lines: list[str] = []
    section = ""
    for key in policy_keys():
        name, _, last = key.path.partition(".")
        if name != section:
            section = name
            lines += ["", f"### [{name}]", "", "| key | meaning | allowed | default |"]
            lines += ["| --- | --- | --- | --- |"]
        default = key.default if key.default == "none" else f"`{key.default}`"
        meaning = re.sub(r"(?<=device's )(\w+)", r"`\1`", key.meaning)
        lines.append(f"| `{last}` | {meaning} | {key.allowed} | {default} |")
    return "\n".join([*lines, "", ""])


def test_the_page_has_every_key_as_the_code_has_it():
    page = PAGE.read_text("utf-8")
    found = KEYS.search(page)
    assert found is not None
    if WRITE:
        PAGE.write_text(KEYS.sub(lambda m: m[1] + table() + m[3], page), "utf-8")
    else:
        assert found[2] == table(), "run: WRITE_POLICY_KEYS=1 pytest tests/rules -k every_key"


def test_the_page_explains_every_kind_of_hold():
    page = PAGE.read_text("utf-8")
    assert all(f"| `{kind}` |" in page for kind in HOLD_KINDS)
