"""What a reader wants a person to know about a file that it could read."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Notice"]


@frozen(kw_only=True)
class Notice:
    """Something that was decided about a file, or looks odd in it. Holds no cell of the file."""

    code: str
    """A stable code, such as ``encoding-guessed``."""
    message: str
    """What was decided or seen."""
    column: str | None = None
    """The column's heading, when it is about one."""
    lines: tuple[int, ...] = ()
    """The first lines that it is about, at most five."""
    count: int = 1
    """How many lines it is about."""

    def as_dict(self) -> dict[str, object]:
        """The notice as plain data."""
        return {
            "code": self.code,
            "message": self.message,
            "column": self.column,
            "lines": list(self.lines),
            "count": self.count,
        }
