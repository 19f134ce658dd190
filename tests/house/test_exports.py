"""What a module says it offers is exactly what it offers, in the order of ruff's RUF022."""

import ast
import importlib

import pytest


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest; each by name."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name


def exports(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def top_level(tree: ast.Module):
    """Statements of the module, those under ``if TYPE_CHECKING`` too."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from node.body
        else:
            yield node


def defined(tree: ast.Module) -> set[str]:
    found = set()
    for node in top_level(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
    return {name for name in found if not name.startswith("_")}


def bound_by_package(tree: ast.Module, package: str) -> set[str]:
    """Every public name that a package's ``__init__`` defines, or takes from its own modules.

    What it takes for type checkers alone does not count, except at the lazy front door.
    """
    found = defined(tree)
    for node in top_level(tree) if package == "assetflow" else tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
            found |= {alias.asname or alias.name for alias in node.names}
    return {name for name in found if not name.startswith("_")}


def read(path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_public_module_with_public_names_says_which(public):
    tree = read(public)
    names = exports(tree)
    if names is None:
        assert not defined(tree), f"{public.name} defines public names and has no __all__"
        return
    # What a module keeps for its neighbours may stay out of the list; a package's own may not.
    assert names == sorted(set(names), key=order)


def test_every_name_that_is_offered_exists(public, name_of):
    name = name_of(public)
    module = importlib.import_module(name)
    for offered in getattr(module, "__all__", ()):
        assert getattr(module, offered, None) is not None or offered in vars(module)


def test_a_package_offers_all_that_it_binds(package, name_of):
    tree = read(package)
    assert bound_by_package(tree, name_of(package)) <= set(exports(tree) or ())


def test_the_front_door_is_lazy_and_whole():
    import assetflow

    assert set(assetflow.__all__) <= set(dir(assetflow))
    for name in assetflow.__all__:
        assert getattr(assetflow, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_the_kind'"):
        assetflow.nothing_of_the_kind  # noqa: B018  # the access is the test
