"""Files that are handed over: for their owner alone, and complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from assetflow.errors import FileError

__all__ = ["writing"]


@contextmanager
def writing(to: str | os.PathLike[str] | BinaryIO) -> Iterator[BinaryIO]:
    """An open file, or one at a path: for its owner alone, and complete or not there.

    Raises:
        FileError: there it cannot be written.
    """
    if not isinstance(to, str | os.PathLike):
        yield to
        return
    path = Path(to)
    scratch = path.with_name(f"{path.name}.part")
    try:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as problem:
        raise FileError(f"the file cannot be written: {problem.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        scratch.replace(path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise
