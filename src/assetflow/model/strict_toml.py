"""TOML read strictly: every refusal names the key, its line and what is allowed there."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn, Self

from attrs import frozen

from assetflow.errors import PolicyError

__all__ = [
    "Flag",
    "Kind",
    "Path",
    "Spots",
    "Whole",
    "Words",
    "kind_of",
    "parse",
    "quoted",
    "written",
]

Path = tuple[str, ...]

_LIMIT = 256 * 1024
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r"""\s*([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')\s*""")
_HIDDEN = re.compile(
    r'(?P<block>"{3}(?:\\.|[^\\])*?"{3}|\'{3}.*?\'{3})'
    r'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)


def parse(text: str) -> dict[str, Any]:
    """The tables of a text.

    Raises:
        PolicyError: not TOML, with the line; or far too long.
    """
    import tomllib  # noqa: PLC0415  # only a policy file needs it

    if not isinstance(text, str):
        raise PolicyError(f"a policy is text, not {type(text).__name__}")
    if len(text) > _LIMIT:
        raise PolicyError("the policy is longer than 256 KB", hint="This is not a policy file.")
    try:
        return tomllib.loads(_clean(text))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        problem = re.sub(r" \(at .*\)$", "", str(error).split("\n", 1)[0])[:120]
    except RecursionError:
        line, problem = 1, "nested too deep"
    raise PolicyError(
        f"line {line} is not TOML: {problem}",
        hint='Texts stand in quotes, lists in brackets: blocking_holds = ["manual"].',
        line=line,
    )


@frozen
class Spots:
    """On which line each key of a sound TOML text is written."""

    lines: Mapping[Path, int]
    """Key path to line number, from 1."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Find the keys of a text that `parse` has taken."""
        return cls(_lines(_clean(text)))

    def refuse(self, path: Path, problem: str, allowed: str, *, hint: str = "") -> NoReturn:
        """Raise the error for a key.

        Raises:
            PolicyError: always.
        """
        dotted = _dotted(path)
        known = next((self.lines[p] for p in _parents(path) if p in self.lines), None)
        where = f" on line {known}" if known else ""
        raise PolicyError(
            f"{dotted}{where}: {problem}",
            hint=f"{hint}Allowed: {allowed}.",
            key=dotted,
            line=known,
            allowed=allowed,
        )

    def known(self, path: Path, table: Mapping[str, object], names: Iterable[str]) -> None:
        """Refuse a key that is none of *names*, with the nearest of them.

        Raises:
            PolicyError: an unknown key.
        """
        names = tuple(names)
        for key in table:
            if key not in names:
                hint = _nearest(key, names)
                self.refuse((*path, key), "unknown key", ", ".join(names), hint=hint)


@frozen
class Whole:
    """A whole number within bounds."""

    least: int
    """The smallest."""
    most: int
    """The largest."""

    @property
    def allowed(self) -> str:
        """What may be written."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, at: Spots, path: Path, value: object) -> int:
        """The value, or a `PolicyError`."""
        if not isinstance(value, int) or isinstance(value, bool):
            at.refuse(path, f"a {kind_of(value)} is not a whole number", self.allowed)
        if not self.least <= value <= self.most:
            at.refuse(path, "out of bounds", self.allowed)
        return value


@frozen
class Flag:
    """True or false."""

    allowed: str = "true or false"
    """What may be written."""

    def read(self, at: Spots, path: Path, value: object) -> bool:
        """The value, or a `PolicyError`."""
        if not isinstance(value, bool):
            at.refuse(path, f"a {kind_of(value)} is neither true nor false", self.allowed)
        return value


@frozen
class Words:
    """A list of words, none of them twice: of a closed set, or of a pattern."""

    words: tuple[str, ...]
    """The closed set; empty when *pattern* says it."""
    make: Callable[[str], Any] = str
    """Turns a word into its value."""
    least: int = 0
    """How many there must be."""
    pattern: str = ""
    """Regular expression of a word."""
    what: str = ""
    """What may be written, where the words do not say it."""

    @property
    def allowed(self) -> str:
        """What may be written."""
        what = self.what or "a list of: " + ", ".join(self.words)
        return what + ("; at least one" if self.least else "")

    def read(self, at: Spots, path: Path, value: object) -> tuple[Any, ...]:
        """The value, or a `PolicyError`."""
        if not isinstance(value, list):
            at.refuse(path, f"a {kind_of(value)} is not a list", self.allowed)
        if len(value) < self.least:
            at.refuse(path, "the list is empty", self.allowed)
        seen: set[str] = set()
        for word in value:
            if not isinstance(word, str):
                at.refuse(path, f"a {kind_of(word)} in a list of words", self.allowed)
            if word in seen:
                at.refuse(path, f"{quoted(word[:40])} stands there twice", self.allowed)
            if not (re.fullmatch(self.pattern, word) if self.pattern else word in self.words):
                hint = _nearest(word, self.words)
                problem = f"{quoted(word[:40])} is not one of the words"
                at.refuse(path, problem, self.allowed, hint=hint)
            seen.add(word)
        return tuple(self.make(word) for word in value)


Kind = Whole | Flag | Words


def kind_of(value: object) -> str:
    """What a person calls a TOML value's type."""
    names = {bool: "flag", int: "whole number", float: "fraction", str: "text", list: "list"}
    return names.get(type(value), "table" if isinstance(value, dict) else "date")


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def written(value: object) -> str:
    """A flag, a whole number or a list of words as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    items = value if isinstance(value, tuple) else ()
    return "[" + ", ".join(quoted(str(getattr(i, "value", i))) for i in items) + "]"


def _nearest(word: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only on the way to an error

    near = get_close_matches(word[:40].lower(), tuple(names), n=1)
    return f"Did you mean {near[0]}? " if near else ""


def _clean(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _lines(text: str) -> dict[Path, int]:
    hidden = _HIDDEN.sub(_hide, text)
    found: dict[Path, int] = {}
    section: Path = ()
    depth = 0
    pairs = zip(text.split("\n"), hidden.split("\n"), strict=True)
    for number, (line, bare) in enumerate(pairs, start=1):
        if depth == 0 and not bare.startswith("\0"):
            key, rest = _key(line.lstrip().lstrip("["))
            if bare.lstrip().startswith("["):
                section = key
                found.setdefault(section, number)
                continue
            if rest.startswith("="):
                for length in range(1, len(key) + 1):
                    found.setdefault((*section, *key[:length]), number)
        depth += sum(map(bare.count, "[{")) - sum(map(bare.count, "]}"))
    return found


def _hide(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "\0" if match["block"] else "_", match[0])


def _key(line: str) -> tuple[Path, str]:
    parts: list[str] = []
    while found := _PART.match(line):
        word = found[1]
        parts.append(word if _BARE.fullmatch(word) else _unquoted(word))
        line = line[found.end() :]
        if not line.startswith("."):
            break
        line = line[1:]
    return tuple(parts), line


def _unquoted(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1]
    try:
        return str(json.loads(word))
    except ValueError:
        return word[1:-1]


def _parents(path: Path) -> Iterator[Path]:
    for length in range(len(path), 0, -1):
        yield path[:length]


def _dotted(path: Path) -> str:
    return ".".join(p if _BARE.fullmatch(p) else quoted(p[:80]) for p in path)
