"""The tree of errors: complete in its docstring, on its page, and in what each class says."""

import inspect
import pickle
import re
import tomllib

import pytest

from assetflow import errors

ALL = list(errors.all_errors())


def test_the_docstring_draws_the_tree_as_it_is():
    drawn: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([│ ]*)(?:[├└]── )?([A-Z]\w+)(?:  |$)", line)
        if found and "`" not in line and (drawn or found[2] == "AssetflowError"):
            depth = len(line) - len(line.lstrip("│ ├└─"))
            drawn.append((depth // 4, found[2]))
    real = []

    def walk(cls: type, depth: int) -> None:
        real.append((depth, cls.__name__))
        for child in (c for c in ALL if c.__bases__[0] is cls):
            walk(child, depth + 1)

    walk(errors.AssetflowError, 0)
    assert drawn == real


def test_codes_are_unique_and_readable():
    codes = [cls.code for cls in ALL]
    assert len(codes) == len(set(codes))
    assert [c for c in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", c)] == []


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
def test_each_says_what_it_is_and_what_to_do(cls):
    assert (cls.__doc__ or "").strip(), "no docstring"
    assert isinstance(cls.recovery, errors.Recovery)
    assert cls.default_hint.strip().endswith((".", "}.", "`"))
    assert cls.__name__ in errors.__all__


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
def test_each_survives_a_process_pool(cls):
    needed = {
        name: ["x"] if name == "candidates" else "x"
        for name, p in inspect.signature(cls).parameters.items()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    first = needed.pop(next(iter(needed)))
    error = cls(first, **needed)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert again.as_dict() == error.as_dict()


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.code)
def test_each_code_has_its_place_on_the_errors_page(cls, root):
    page = (root / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert f"{{ #{cls.code} }}" in page


def test_a_missing_extra_that_the_code_names_is_one(root):
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(told["project"]["optional-dependencies"])
    named = set()
    for path in (root / "src").rglob("*.py"):
        named |= set(re.findall(r"MissingExtra\(\s*\"([\w-]+)\"", path.read_text(encoding="utf-8")))
    assert named <= extras
