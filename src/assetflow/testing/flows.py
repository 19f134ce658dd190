"""Reads flows as text, and finds what a driver cannot make safe.

A flow is a generator. A driver throws [`ConnectorError`][assetflow.errors.ConnectorError] into
it, and closes it when its caller gives up. Two habits break that, and both are easy to miss in
review:

* a ``yield`` in ``finally`` makes a flow that is being closed ask for one more call, so a
  cancelled write goes on;
* a handler wider than ``ConnectorError`` swallows what ends the program, or hides a mistake of
  the flow's own as if the vendor had refused.

```python
from assetflow.testing.flows import assert_sound_flows
import my_connector.calls

assert_sound_flows(my_connector.calls)
```
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

__all__ = ["FlowFault", "assert_sound_flows", "flow_faults"]

# What is above ConnectorError, and what a closing generator is told with.
_TOO_WIDE = frozenset({"AssetflowError", "BaseException", "Exception", "GeneratorExit"})

_Scope = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_Yield = (ast.Yield, ast.YieldFrom)


@frozen
class FlowFault:
    """One thing that is wrong with a flow."""

    function: str
    """The function's name."""
    line: int
    """The line, counted from the start of the text that was read."""
    message: str
    """What is wrong."""

    def __str__(self) -> str:
        return f"{self.function}, line {self.line}: {self.message}"


def flow_faults(source: str | ModuleType | Callable[..., object]) -> tuple[FlowFault, ...]:
    """What is wrong with the flows in some code.

    In a module or a text, a flow is a generator function whose return annotation names ``Flow``.
    A function that is passed itself is read whatever its annotation says.

    Args:
        source: Python text, a module, or a function.

    Raises:
        OSError: The source of a module or function is not at hand.
        SyntaxError: The text is not Python.
    """
    if isinstance(source, str):
        text, every = source, False
    else:
        text, every = inspect.getsource(source), not inspect.ismodule(source)
    tree = ast.parse(textwrap.dedent(text))
    found = [
        fault
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and _is_flow(node, every=every)
        for fault in _faults(node)
    ]
    return tuple(sorted(found, key=lambda fault: fault.line))


def assert_sound_flows(*sources: str | ModuleType | Callable[..., object]) -> None:
    """Fail with a list of everything that is wrong with the flows in some code.

    Args:
        *sources: Python texts, modules or functions.

    Raises:
        AssertionError: A flow yields in ``finally``, or catches more than ``ConnectorError``.
    """
    faults = [fault for source in sources for fault in flow_faults(source)]
    if faults:
        raise AssertionError("\n".join(str(fault) for fault in faults))


def _is_flow(node: ast.FunctionDef, *, every: bool) -> bool:
    if not any(isinstance(inner, _Yield) for inner in _own(node)):
        return False
    if every:
        return True
    return node.returns is not None and any(
        (isinstance(part, ast.Name) and part.id == "Flow")
        or (isinstance(part, ast.Attribute) and part.attr == "Flow")
        or (isinstance(part, ast.Constant) and "Flow[" in str(part.value))
        for part in ast.walk(node.returns)
    )


def _faults(function: ast.FunctionDef) -> Iterator[FlowFault]:
    for node in _own(function):
        if isinstance(node, ast.Try | ast.TryStar):
            for inner in _own(ast.Module(body=node.finalbody, type_ignores=[])):
                if isinstance(inner, _Yield):
                    yield FlowFault(function.name, inner.lineno, "yields in `finally`")
            for handler in node.handlers:
                for name in _too_wide(handler.type):
                    yield FlowFault(function.name, handler.lineno, f"catches {name}")
        elif isinstance(node, ast.Call) and _last_name(node.func) == "suppress":
            for argument in node.args:
                for name in _too_wide(argument):
                    yield FlowFault(function.name, node.lineno, f"suppresses {name}")


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """All that is inside a node, but not inside a function or class within it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Scope):
            continue
        yield child
        yield from _own(child)


def _too_wide(caught: ast.expr | None) -> Iterator[str]:
    if caught is None:
        yield "everything"
    elif isinstance(caught, ast.Tuple):
        for one in caught.elts:
            yield from _too_wide(one)
    elif (name := _last_name(caught)) in _TOO_WIDE:
        yield name


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
