"""Free words beside an act, in a row that can be erased; the journal names its id alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.errors import InvalidValue
from assetflow.model import Note
from assetflow.workflows.given import line

if TYPE_CHECKING:
    from assetflow.store.ports import Transaction
    from assetflow.workflows.acting import Act

__all__ = ["LONGEST_NOTE", "add_note"]

LONGEST_NOTE = 4_000
"""Most characters of a note."""


def add_note(tx: Transaction, act: Act, subject_kind: str, subject_id: str, text: str) -> str:
    """Write a note about a device or a person.

    Args:
        tx: The transaction.
        act: Who and when.
        subject_kind: What it is about: ``device``, ``person``.
        subject_id: The id of what it is about.
        text: The words, on as many lines as needed.

    Returns:
        The note's id, for `Act.note_id`.

    Raises:
        InvalidValue: not text, empty, or longer than 4,000 characters.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"a note is text, not {type(text).__name__}")
    words = text.strip()
    if not words:
        raise InvalidValue("a note is empty")
    if len(words) > LONGEST_NOTE:
        hint = f"Keep to {LONGEST_NOTE:,} characters."
        raise InvalidValue("a note is too long", hint=hint, length=len(words))
    note = Note(
        id=act.new_id(),
        subject_kind=line(subject_kind, "a note's subject", longest=64),
        subject_id=line(subject_id, "a note's subject", longest=64),
        written_at=act.at,
        text=words,
    )
    tx.insert([note])
    return note.id
