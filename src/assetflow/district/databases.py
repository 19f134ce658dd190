"""Looking after a district's database: its state, upgrades, copies to keep, moving house."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from assetflow.district.session import Clock, utc_now
from assetflow.errors import DistrictRequired

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.model import DistrictId
    from assetflow.store.copying import CopyProgress, CopyReport
    from assetflow.store.ports import Store
    from assetflow.store.sql.backups import Backup
    from assetflow.store.sql.upkeep import DatabaseState, ReportingView, Upgrade

__all__ = [
    "address_of",
    "back_up",
    "copy_district",
    "database_state",
    "dump_command",
    "pending_sql",
    "reporting_views",
    "restore",
    "restore_command",
    "upgrade_database",
]

# SQLAlchemy is loaded when one of these is called, not when a district is.


def address_of(place: str | os.PathLike[str]) -> str:
    """A database's address; a path is that of an SQLite file."""
    text = os.fspath(place)
    return text if "://" in text else f"sqlite:///{text}"


def database_state(url: str | os.PathLike[str], *, district: str | None = None) -> DatabaseState:
    """Look at a database: its revision, its size, how much it holds. Nothing is written.

    Args:
        url: A database address, or the path of an SQLite file.
        district: Whose journal's end to tell, when it holds several. They are not listed.

    Raises:
        UnknownDistrict: it does not hold the district that was named.
        StoreUnavailable: there is no such file or server.
    """
    from assetflow.store.sql import upkeep  # noqa: PLC0415  # as said above

    return upkeep.database_state(address_of(url), district=district)


def upgrade_database(url: str | os.PathLike[str]) -> Upgrade:
    """Bring a database to the schema of this version, under a lock; a file is copied first.

    Args:
        url: A database address, or the path of an SQLite file.

    Raises:
        SchemaTooNew: a newer version of assetflow wrote it.
        StoreUnavailable: there is no such server, or it holds another program's tables.
    """
    from assetflow.store.sql import upkeep  # noqa: PLC0415  # as said above

    return upkeep.upgrade_database(address_of(url))


def reporting_views(url: str | os.PathLike[str], *, personal: bool = False) -> list[ReportingView]:
    """Make the views for those who read with other tools anew, and list them.

    An upgrade makes them too, and keeps those of personal columns where they are.

    Args:
        url: A database address, or the path of an SQLite file.
        personal: Those of personal columns too; without it they are taken away.

    Raises:
        SchemaOutdated: it is of an older version, or the address says that nothing is written.
        StoreUnavailable: there is no such server, or it holds another program's tables.
    """
    from assetflow.store.sql import upkeep  # noqa: PLC0415  # as said above

    return upkeep.reporting_views(address_of(url), personal=personal)


def pending_sql(url: str | os.PathLike[str], *, since: str | None = None) -> str:
    """The SQL of an upgrade, for people who run it themselves. Nothing is written.

    Args:
        url: A database address, or an engine alone, such as ``postgresql://``, for an empty one.
        since: The revision that is there, or ``base``; then nothing is asked of any server.

    Returns:
        Empty when there is nothing to do.

    Raises:
        InvalidValue: *since* is no revision of this version.
        FeatureMissing: a step that cannot be written down beforehand, on SQLite.
    """
    from assetflow.store.sql import upkeep  # noqa: PLC0415  # as said above

    return upkeep.pending_sql(address_of(url), since=since)


def back_up(
    url: str | os.PathLike[str],
    *,
    file: str | os.PathLike[str] | None = None,
    clock: Clock = utc_now,
) -> Backup:
    """Copy a database file while it may be in use, and prove the copy.

    Args:
        url: The path or the address of an SQLite file.
        file: Where the copy goes; beside the file, with the time in its name, when not given.
        clock: Tells the time, in UTC.

    Raises:
        FeatureMissing: the database is on a server; the hint is the command that copies it.
        PlaceTaken: there is a file of that name.
        JournalBroken: the journal does not verify; the copy is there all the same.
    """
    from assetflow.store.sql import backups  # noqa: PLC0415  # as said above

    path = None if file is None else os.fspath(file)
    return backups.back_up(address_of(url), at=clock(), file=path)


def restore(file: str | os.PathLike[str], url: str | os.PathLike[str]) -> Backup:
    """Put a copy in a new place, after proving it. Nothing is overwritten.

    Args:
        file: The copy.
        url: The path or the address of an SQLite file that is not there yet.

    Raises:
        FeatureMissing: the place is on a server; the hint is the command that restores there.
        PlaceTaken: there is a file already.
        JournalBroken: the copy's journal does not verify.
    """
    from assetflow.store.sql import backups  # noqa: PLC0415  # as said above

    return backups.restore(os.fspath(file), address_of(url))


def dump_command(url: str | os.PathLike[str]) -> str | None:
    """The command that copies a database on a server; ``None`` for a file.

    It holds no password: the tool asks for it, or finds it where it looks for it.

    Args:
        url: A database address, or the path of an SQLite file.
    """
    from assetflow.store.sql import backups, upkeep  # noqa: PLC0415  # as said above

    address = address_of(url)
    return None if upkeep.is_file(address) else backups.dump_command(address)


def restore_command(url: str | os.PathLike[str]) -> str | None:
    """The command that puts such a copy into an empty database on a server; ``None`` for a file.

    Args:
        url: A database address, or the path of an SQLite file.
    """
    from assetflow.store.sql import backups, upkeep  # noqa: PLC0415  # as said above

    address = address_of(url)
    return None if upkeep.is_file(address) else backups.restore_command(address)


def copy_district(
    source: str | os.PathLike[str] | Store,
    destination: str | os.PathLike[str] | Store,
    *,
    district: str | None = None,
    on_progress: Callable[[CopyProgress], None] | None = None,
) -> CopyReport:
    """Copy a district with its journal to another database, prove the copy, put it into use.

    Safe to kill and to repeat: it goes on where it was. Nothing is written to the source.

    Args:
        source: Where the district is: an address, a path, or a store that is open.
        destination: Where it is to be. A file is made, a server's schema must be there.
        district: Its id. Not needed while the source holds one.
        on_progress: Told after each batch.

    Raises:
        DistrictRequired: the source holds several districts, or none.
        UnknownDistrict: it does not hold that one.
        PlaceTaken: the destination holds it and it is in use there.
        JournalBroken: the source's journal does not verify.
        CopyDiffers: the source's tables do not follow from its journal, or what arrived is not
            what was sent.
    """
    from assetflow.store import copying  # noqa: PLC0415  # only to copy

    with ExitStack() as opened:
        there = _opened(source, opened, reading=True)
        chosen = _chosen(there, district)
        here = _opened(destination, opened, reading=False)
        return copying.copy_district(there, here, chosen, on_progress=on_progress)


def _opened(given: str | os.PathLike[str] | Store, opened: ExitStack, *, reading: bool) -> Store:
    if not isinstance(given, str | os.PathLike):
        return given
    from assetflow.store.sql import SqlStore, upkeep  # noqa: PLC0415  # as said above

    address = address_of(given)
    store = SqlStore.open(upkeep.reading(address) if reading else address)
    opened.callback(store.close)
    return store


def _chosen(store: Store, district: str | None) -> DistrictId:
    held = store.districts()
    if district is not None:
        return district  # type: ignore[return-value]  # a new type of text; the copy looks for it
    if len(held) == 1:
        return held[0]
    msg = "the source holds several districts" if held else "the source holds no district"
    raise DistrictRequired(msg, hint="Name the one that is to be copied.")
