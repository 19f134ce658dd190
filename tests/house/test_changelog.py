"""A changelog fragment has a name that towncrier files and text that a reader understands."""

import re
import tomllib

import pytest


def test_every_fragment_is_well_formed(root):
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    types = [t["directory"] for t in told["tool"]["towncrier"]["type"]]
    name = re.compile(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(types)})(\.\d+)?\.md")
    for path in sorted((root / "changelog.d").iterdir()):
        if path.name == "README.md":
            continue
        assert name.fullmatch(path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert text.endswith("."), f"{path.name} does not end with a full stop"
        assert "\n\n" not in text, f"{path.name} has more than one paragraph"
        assert not text.startswith(("-", "*", "#")), f"{path.name} is not plain prose"


def test_the_readme_of_the_folder_names_every_type(root):
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    text = (root / "changelog.d" / "README.md").read_text(encoding="utf-8")
    for kind in told["tool"]["towncrier"]["type"]:
        assert f"| `{kind['directory']}` |" in text


def test_the_version_is_one(root):
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    if (version := told["project"]["version"]) != told["tool"]["towncrier"]["version"]:
        pytest.fail(f"the project is {version}, towncrier would write another")
