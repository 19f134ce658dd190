"""The rows of ``assetflow db`` and of seals: fields of the JSON output, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import frozen

if TYPE_CHECKING:
    from assetflow.store.copying import CopyReport
    from assetflow.store.seals import Seal
    from assetflow.store.sql.backups import Backup
    from assetflow.store.sql.upkeep import DatabaseState, ReportingView, Upgrade

__all__ = ["BackupRow", "CopyRow", "DatabaseRow", "PendingRow", "SealRow", "UpgradeRow", "ViewRow"]


@frozen(kw_only=True)
class DatabaseRow:
    """What a database holds."""

    store: str
    """Where it is, without a password."""
    engine: str
    """``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``."""
    state: str
    """``current``, ``older``, ``newer``, ``nothing`` or ``foreign``."""
    revision: str | None
    """The revision of its schema."""
    needed: str
    """The revision that this version works with."""
    bytes: int | None
    """How much it takes up."""
    districts: int
    """How many districts it holds."""
    events: int
    """Events in all their journals together."""
    district: str | None
    """The district, when it was named or is the only one."""
    head_seq: int | None
    """Number of that district's last event."""
    head_hash: str | None
    """Its hash, hexadecimal."""

    @classmethod
    def of(cls, state: DatabaseState) -> Self:
        """A database's row."""
        head = state.head
        return cls(
            store=state.address,
            engine=state.engine,
            state=state.found.value,
            revision=state.revision,
            needed=state.needed,
            bytes=state.size,
            districts=state.districts,
            events=state.events,
            district=state.district,
            head_seq=None if head is None else head.seq,
            head_hash=None if head is None else head.hash,
        )


@frozen(kw_only=True)
class UpgradeRow:
    """What an upgrade of a schema did."""

    store: str
    """Where the database is, without a password."""
    before: str | None
    """The revision that it had; ``null`` when it had none."""
    revision: str
    """The revision that it has now."""
    copy: str | None
    """The copy that was made before, if one was."""

    @classmethod
    def of(cls, done: Upgrade) -> Self:
        """An upgrade's row."""
        return cls(store=done.address, before=done.before, revision=done.revision, copy=done.copy)


@frozen(kw_only=True)
class PendingRow:
    """The SQL of an upgrade."""

    sql: str
    """The statements; empty when there is nothing to do."""


@frozen(kw_only=True)
class BackupRow:
    """A copy to keep, or the command that makes one."""

    file: str | None
    """The copy, or the file that was restored."""
    bytes: int | None
    """How large it is."""
    revision: str | None
    """The revision of its schema."""
    districts: int | None
    """How many districts it holds."""
    events: int | None
    """Events in all their journals together; each was checked."""
    replayed: bool | None
    """Whether the tables were held against the journals too. Of an older schema, they are not."""
    command: str | None
    """For a database on a server: what to run instead. It asks for the password itself."""

    @classmethod
    def of(cls, made: Backup) -> Self:
        """A copy's row."""
        return cls(
            file=made.file,
            bytes=made.size,
            revision=made.revision,
            districts=made.districts,
            events=made.events,
            replayed=made.replayed,
            command=None,
        )

    @classmethod
    def of_command(cls, command: str) -> Self:
        """The row of a command that somebody else has to run."""
        return cls(
            file=None,
            bytes=None,
            revision=None,
            districts=None,
            events=None,
            replayed=None,
            command=command,
        )


@frozen(kw_only=True)
class CopyRow:
    """A district that was copied to another database."""

    district: str
    """The district."""
    events: int
    """Events of its journal, the same on both sides."""
    records: int
    """Records of all kinds, with one digest on both sides for each kind."""
    head: str
    """Hash of the newest event on both sides, hexadecimal."""
    resumed_at: int
    """Events that had arrived before; 0 for a copy that began now."""
    found: bool
    """Whether the whole copy was there already, and was only proved again."""

    @classmethod
    def of(cls, report: CopyReport) -> Self:
        """A copy's row."""
        return cls(
            district=report.district,
            events=report.head.seq,
            records=report.records,
            head=report.head.hash,
            resumed_at=report.events_before,
            found=report.found,
        )


@frozen(kw_only=True)
class SealRow:
    """The end of a journal, to keep where nobody can rewrite it."""

    format: str
    """The form of the seal, and the first line of what is signed."""
    district: str
    """The district."""
    seq: int
    """Number of the last event."""
    hash: str
    """Its hash, which hangs on every event before it; hexadecimal."""
    sealed_at: str
    """When it was sealed, ISO 8601 in UTC, with microseconds."""
    signature: str | None
    """HMAC-SHA256 under the key of the settings, hexadecimal; ``null`` without a key."""

    @classmethod
    def of(cls, seal: Seal) -> Self:
        """A seal's row."""
        return cls(**seal.as_dict())


@frozen(kw_only=True)
class ViewRow:
    """A view for those who read with other tools."""

    name: str
    """Its name."""
    personal: bool
    """Whether its columns are personal."""
    about: str
    """What it shows."""

    @classmethod
    def of(cls, view: ReportingView) -> Self:
        """A view's row."""
        return cls(name=view.name, personal=view.personal, about=view.about)
