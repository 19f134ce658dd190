"""An argument that may be left out is given by name: adding one never breaks a caller.

And every public function, class and method says what it does, itself or through its parent.
"""

import importlib
import inspect
from pathlib import Path

import attrs
import pytest

import assetflow

# A room's verbs: those that its package offers, and all that a district or a workflow has.
ROOMS = ("assetflow.connectors", "assetflow.district", "assetflow.exchange", "assetflow.workflows")
WHOLE = ("assetflow.district", "assetflow.workflows")
SOURCE = Path(__file__).resolve().parents[2] / "src"


def public_modules():
    """Every public module, loaded; found by its file, so that no private one is loaded first."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") or part == "migrations" for part in parts):
            yield importlib.import_module(".".join(parts)), path.name == "__init__.py"


def modules():
    for module, is_package in public_modules():
        name = module.__name__
        if name.startswith(ROOMS) and (is_package or name.startswith(WHOLE)):
            yield module


def public_callables():
    seen = set()
    for module in modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            where = f"{getattr(thing, '__module__', '')}.{name}"
            if where in seen or not where.startswith(ROOMS):
                continue
            seen.add(where)
            if inspect.isfunction(thing):
                yield where, thing
            elif inspect.isclass(thing):
                yield from methods(where, thing)
    yield "assetflow.open", assetflow.open


def methods(where, cls):
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", member)
        written_by_attrs = name == "__init__" and attrs.has(cls)
        public = not name.startswith("_") or name in {"__init__", "__call__"}
        if public and inspect.isfunction(function) and not written_by_attrs:
            yield f"{where}.{name}", function


CALLABLES = dict(public_callables())


def public_things():
    for module, _ in public_modules():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if getattr(thing, "__module__", "") == module.__name__:
                yield module.__name__, name, thing


def undocumented():
    for module, name, thing in public_things():
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue
        if not inspect.getdoc(thing):
            yield f"{module}.{name}"
        if inspect.isclass(thing):
            yield from (f"{module}.{name}.{member}" for member in silent_members(thing))


def silent_members(cls):
    for name in vars(cls):
        member = getattr(cls, name, None)
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        # inspect.getdoc of a function does not look at the class's parents
        if not any(inspect.getdoc(getattr(kin, name, None)) for kin in cls.__mro__):
            yield name


def test_everything_public_says_what_it_does():
    assert list(undocumented()) == []


@pytest.mark.parametrize("where", CALLABLES)
def test_optional_arguments_are_keyword_only(where):
    loose = [
        p.name
        for p in inspect.signature(CALLABLES[where]).parameters.values()
        if p.default is not p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    assert loose == []
