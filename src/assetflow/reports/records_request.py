"""The answer to a records request: everything that the store holds on a person, as JSON files."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import msgspec

from assetflow.codec import write_instant
from assetflow.model import Person
from assetflow.reports.files import writing
from assetflow.workflows.edits import found
from assetflow.workflows.personal.holding import holdings

if TYPE_CHECKING:
    from assetflow.model import PersonId
    from assetflow.store.ports import ReadTransaction
    from assetflow.workflows.personal.holding import Holding
    from assetflow.workflows.personal.sealing import IdentityKeys
    from assetflow.workflows.personal.traces import RawReader

__all__ = ["PersonExport"]

_ABOUT = (
    "Each file holds what one kind of record says of the person; journal.json holds the events. "
    "`where` says where it stands, `why` why it is about them. Addresses of other people are masked."
)


class PersonExport:
    """Everything that the store holds on a person, read as it is asked for; each loop starts afresh.

    Args:
        read: Begins consistent reads of the district.
        person_id: The person.
        made_at: When it is made.
        raw: Reads raw records.
        keys: The district's identity keys.
        others: Whether other people's addresses are left as they are.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[ReadTransaction]],
        person_id: PersonId,
        *,
        made_at: datetime,
        raw: RawReader,
        keys: IdentityKeys | None = None,
        others: bool = False,
    ) -> None:
        self._read = read
        self._person_id = person_id
        self._made_at = made_at
        self._raw = raw
        self._keys = keys
        self._others = others

    def __iter__(self) -> Iterator[Holding]:
        """What is held, kind by kind, then the journal.

        Raises:
            NotFound: the person is not there.
        """
        with self._read() as tx:
            person = found(tx, Person, self._person_id)
            yield from holdings(tx, person, raw=self._raw, keys=self._keys, others=self._others)

    def counts(self) -> dict[str, int]:
        """How many records of each kind there are, and events."""
        return dict(Counter(h.section for h in self))

    def write_json(self, to: str | os.PathLike[str] | BinaryIO) -> int:
        """Write one JSON document; how many holdings it has.

        Args:
            to: A path, which only its owner may read, or an open binary file.

        Raises:
            FileError: the file cannot be written.
        """
        count = 0
        with writing(to) as stream:
            head = {"person_id": self._person_id, "made_at": write_instant(self._made_at)}
            stream.write(msgspec.json.encode(head)[:-1] + b',"about":' + _json(_ABOUT))
            stream.write(b',"holdings":[')
            for count, holding in enumerate(self, 1):
                stream.write((b",\n" if count > 1 else b"\n") + _json(_plain(holding)))
            stream.write(b"\n]}\n")
        return count

    def write_zip(self, to: str | os.PathLike[str] | BinaryIO) -> dict[str, int]:
        """Write a ZIP archive with one JSON file for each kind of record; how many each has.

        Raises:
            FileError: the file cannot be written.
        """
        counts: dict[str, int] = {}
        with writing(to) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for section, held in groupby(self, key=lambda h: h.section):
                with archive.open(f"{section}.json", "w", force_zip64=True) as entry:
                    counts[section] = _array(entry, held)
            about = {
                "person_id": self._person_id,
                "made_at": write_instant(self._made_at),
                "about": _ABOUT,
                "counts": counts,
            }
            archive.writestr("about.json", _json(about))
        return counts


def _array(entry: IO[bytes], held: Iterator[Holding]) -> int:
    entry.write(b"[")
    count = 0
    for count, holding in enumerate(held, 1):
        entry.write((b",\n" if count > 1 else b"\n") + _json(_plain(holding)))
    entry.write(b"\n]\n")
    return count


def _plain(holding: Holding) -> Mapping[str, Any]:
    return {
        "where": holding.where,
        "section": holding.section,
        "key": list(holding.key),
        "why": list(holding.why),
        "columns": list(holding.columns),
        "data": holding.data,
    }


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
