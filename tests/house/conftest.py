"""The tree that the tests of this folder read."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


def dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_public(path: Path) -> bool:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    hidden = any(p.startswith("_") and p not in {"__init__", "__main__"} for p in parts)
    return not hidden and "migrations" not in parts


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize ``source`` (every file), ``public`` (public modules), ``package``."""
    files = sorted((SOURCE / "assetflow").rglob("*.py"))
    groups = {
        "source": files,
        "public": [f for f in files if is_public(f) and f.name != "__main__.py"],
        "package": [f for f in files if is_public(f) and f.name == "__init__.py"],
    }
    for name, paths in groups.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, paths, ids=[dotted(p) or "assetflow" for p in paths])


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def name_of():
    """The dotted name of a source file."""
    return dotted
