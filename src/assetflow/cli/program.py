"""How this program is called from here, so that a command that it prints can be pasted."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from pathlib import Path

__all__ = ["program", "python"]


def program() -> str:
    """``assetflow`` where that is this one, else its path from the current folder."""
    return _program(sys.argv[0], str(Path.cwd()))


@cache
def _program(called: str, _folder: str) -> str:
    if Path(called).name == "__main__.py" or not Path(called).exists():
        return f"{_short(sys.executable)} -m assetflow.cli"
    found = shutil.which("assetflow")
    # a task runner lends an environment for a moment; the shell that called it does not have it
    lent = Path(sys.prefix) in Path(called).absolute().parents
    lasting = sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV") == sys.prefix
    if found is not None and Path(found).samefile(called) and (lasting or not lent):
        return "assetflow"
    return _short(called)


def python() -> str:
    """``python`` where that is the one that runs this, else its path."""
    found = shutil.which("python")
    if found is not None and os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return "python"
    return _short(sys.executable)


def _short(path: str) -> str:
    """A path as it is written from here, in quotes where a shell needs them."""
    try:
        short = min(os.path.relpath(path), path, key=len)
    except ValueError:  # another drive
        short = path
    if os.sep not in short:
        short = f"{os.curdir}{os.sep}{short}"  # a name alone would be looked up
    return f'"{short}"' if " " in short else short
