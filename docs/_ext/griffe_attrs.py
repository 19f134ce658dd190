"""A griffe extension that understands attrs, so that the reference shows what a class takes.

Reading the source alone, griffe sees no constructor in a class that attrs completes. For each
class decorated with ``frozen`` or ``define`` this adds the ``__init__`` that attrs will write
(inherited fields first, keyword-only where said, defaults as a reader would write them), and
labels each field with its role in the store: journalled, personal, volatile or derived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

DECORATORS = {
    f"{module}.{name}"
    for module in ("attr", "attrs")
    for name in ("define", "frozen", "mutable", "s", "attrs")
}
FROZEN = {"attr.frozen", "attrs.frozen"}
FIELDS = {"attr.field", "attr.ib", "attrs.field"}
FACTORIES = {"attr.Factory", "attrs.Factory"}
ROLES = {"Journalled", "Personal", "Volatile", "Derived"}


def _arguments(value: object) -> dict[str, Any]:
    """The keyword arguments of a call, as expressions."""
    if not isinstance(value, griffe.ExprCall):
        return {}
    return {
        argument.name: argument.value
        for argument in value.arguments
        if isinstance(argument, griffe.ExprKeyword)
    }


def _decorator(cls: griffe.Class) -> griffe.Decorator | None:
    for decorator in cls.decorators:
        if decorator.callable_path in DECORATORS:
            return decorator
    return None


def _called(value: object, paths: set[str]) -> bool:
    return isinstance(value, griffe.ExprCall) and value.function.canonical_path in paths


def _default(attribute: griffe.Attribute) -> str | griffe.Expr | None:
    """What stands after the equals sign, as a caller would write it."""
    value = attribute.value
    if _called(value, FIELDS):
        given = _arguments(value)
        if "factory" in given:
            return griffe.ExprCall(given["factory"], [])
        value = given.get("default", _computed(attribute))
    if _called(value, FACTORIES):
        call = cast("griffe.ExprCall", value)
        return griffe.ExprCall(cast("griffe.Expr", call.arguments[0]), [])
    return value


def _computed(attribute: griffe.Attribute) -> str | None:
    """Three dots for a default that a method decorated with ``@field.default`` computes."""
    path = f"{attribute.name}.default"
    methods = cast("griffe.Class", attribute.parent).functions.values()
    computed = any(str(d.value) == path for method in methods for d in method.decorators)
    return "..." if computed else None


def fields(cls: griffe.Class) -> Iterator[griffe.Attribute]:
    """The attrs fields that a class declares itself."""
    for member in cls.members.values():
        if member.is_alias or not isinstance(member, griffe.Attribute):
            continue
        constant = "class-attribute" in member.labels and "instance-attribute" not in member.labels
        if member.annotation is not None and "property" not in member.labels and not constant:
            yield member


def _parameters(cls: griffe.Class) -> Iterator[griffe.Parameter]:
    decorator = _decorator(cls)
    everything_named = (
        decorator is not None and str(_arguments(decorator.value).get("kw_only")) == "True"
    )
    for attribute in fields(cls):
        given = _arguments(attribute.value) if _called(attribute.value, FIELDS) else {}
        if str(given.get("init")) == "False":
            continue
        named = everything_named or str(given.get("kw_only")) == "True"
        yield griffe.Parameter(
            str(given.get("alias", attribute.name.lstrip("_"))).strip("'\""),
            annotation=attribute.annotation,
            kind=griffe.ParameterKind.keyword_only
            if named
            else griffe.ParameterKind.positional_or_keyword,
            default=_default(attribute),
            docstring=attribute.docstring,
        )


def _complete(cls: griffe.Class) -> None:
    decorator = _decorator(cls)
    if decorator is None:
        return
    cls.labels.add("attrs")
    if decorator.callable_path in FROZEN:
        cls.labels.add("frozen")
    found: dict[str, griffe.Parameter] = {}
    for parent in reversed(cls.mro()):
        if _decorator(parent):
            found.update({parameter.name: parameter for parameter in _parameters(parent)})
    for parameter in _parameters(cls):
        found.pop(parameter.name, None)  # redeclared: takes its new place
        found[parameter.name] = parameter
    ordered = sorted(
        found.values(), key=lambda p: p.kind is griffe.ParameterKind.keyword_only
    )  # stable
    for attribute in fields(cls):
        _label(attribute)
        attribute.value = _default(attribute)
    if "__init__" in cls.members or str(_arguments(decorator.value).get("init")) == "False":
        return
    init = griffe.Function(
        "__init__",
        lineno=cls.lineno,
        endlineno=cls.endlineno,
        parent=cls,
        parameters=griffe.Parameters(
            griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
            *ordered,
        ),
        returns="None",
    )
    cls.set_member("__init__", init)


def _label(attribute: griffe.Attribute) -> None:
    attribute.labels -= {"class-attribute", "instance-attribute"}  # a field; the rest is noise
    annotation = attribute.annotation
    if isinstance(annotation, griffe.ExprSubscript):
        role = str(annotation.left).rpartition(".")[2]
        if role in ROLES:
            attribute.labels.add(role.lower())


def _walk(owner: griffe.Module | griffe.Class) -> None:
    for member in list(owner.members.values()):
        if member.is_alias:
            continue
        if isinstance(member, griffe.Class):
            _complete(member)
            _walk(member)
        elif isinstance(member, griffe.Module):
            _walk(member)


def _follow(module: griffe.Module) -> None:
    """Let what a class holds be named through the package that offers the class.

    griffe tells a class that it is known under a second path; asking that path for its members
    tells them too, and `[...][assetflow.wire.Wire.pages]` finds its place.
    """
    for member in list(module.members.values()):
        if isinstance(member, griffe.Module):
            _follow(member)
        elif member.is_alias:
            try:
                list(member.members)
            except (
                griffe.AliasResolutionError,
                griffe.CyclicAliasError,
            ):  # from another distribution
                continue


class AttrsExtension(griffe.Extension):
    """Complete every attrs class of a package once it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Add constructors and labels throughout *pkg*, and the second paths of members."""
        _walk(pkg)
        _follow(pkg)
