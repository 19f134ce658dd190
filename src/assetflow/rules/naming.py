"""Whether a text names a person: what a records request and an erasure look for.

A name is found however it is written: case, accents and the order of its parts do not matter.
Only what points at one person counts. A given name alone does not, nor does a number of four
digits in the middle of a sentence.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from typing import Self

from attrs import frozen

from assetflow.model.people import Person

__all__ = ["Naming", "fold_text", "full_names"]

_SHORT = 5
"""Fewer characters than this are a word or a number like any other."""


def fold_text(text: str) -> str:
    """A text without case and accents."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


def full_names(
    given: str | None, preferred: str | None, family: str | None
) -> frozenset[tuple[str, str]]:
    """Each given name with the family name, folded."""
    last = fold_text(family or "").strip()
    first = (fold_text(name or "").strip() for name in (given, preferred))
    return frozenset((name, last) for name in first if name and last)


def _words(address: str) -> Iterable[str]:
    """An address, and the part before the @ where that is no common word."""
    yield address
    local = address.partition("@")[0]
    if len(local) >= _SHORT and not local.isalpha():
        yield local


@frozen
class Naming:
    """What points at one person, ready to be looked for."""

    tokens: frozenset[str]
    """Addresses, numbers and user names, folded."""
    names: frozenset[tuple[str, str]]
    """Given and family name, folded; both must stand in one text."""
    pattern: re.Pattern[str] | None
    """Finds a token."""
    parts: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]
    """Find the two parts of a name."""

    @classmethod
    def of(
        cls,
        person: Person,
        *,
        source_ids: Iterable[str] = (),
        shared: Collection[tuple[str, str]] = (),
    ) -> Self:
        """What points at a person.

        Args:
            person: The person.
            source_ids: What other systems call them.
            shared: Full names that somebody else bears too: they point at neither.
        """
        words = [w for a in (person.email, person.email_key) if a for w in _words(a)]
        numbers = [person.local_id or "", *source_ids]
        tokens = {fold_text(t).strip() for t in (*words, *numbers)}
        tokens = {t for t in tokens if len(t) >= _SHORT}
        names = full_names(person.given_name, person.preferred_name, person.family_name)
        names -= frozenset(shared)
        return cls(
            tokens=frozenset(tokens),
            names=names,
            pattern=_any_of(tokens) if tokens else None,
            parts=tuple((_any_of([given]), _any_of([family])) for given, family in sorted(names)),
        )

    def found_in(self, text: str | None) -> bool:
        """Whether a text names the person."""
        if not text:
            return False
        folded = fold_text(text)
        if self.pattern is not None and self.pattern.search(folded):
            return True
        return any(given.search(folded) and family.search(folded) for given, family in self.parts)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of these, not as part of a longer word or number, nor of a longer address."""
    longest = sorted(words, key=lambda w: (-len(w), w))
    found = [(r"(?<![.+-])" if "@" in w else "") + re.escape(w) for w in longest]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(found)})(?![^\W_])")
