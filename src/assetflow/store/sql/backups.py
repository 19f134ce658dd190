"""Copies to keep: made while the database is in use, and proved before anybody relies on them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from attrs import frozen

from assetflow.errors import (
    CopyDiffers,
    FeatureMissing,
    PlaceTaken,
    StoreDamaged,
    StoreUnavailable,
)
from assetflow.store.journal import verify
from assetflow.store.replay import compare
from assetflow.store.sql.migrate import Found, refuse, revision
from assetflow.store.sql.sqlite import SqliteEngine
from assetflow.store.sql.store import SqlStore
from assetflow.store.sql.upkeep import heads_of, is_file, parsed, reading

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

__all__ = ["Backup", "back_up", "check_backup", "dump_command", "restore", "restore_command"]

_WAIT = 30.0
_TOOLS = {
    "postgresql": ("pg_dump --format=custom --no-owner", "pg_restore --exit-on-error --no-owner"),
    "mysql": ("mysqldump --single-transaction --hex-blob", "mysql"),
    "mariadb": ("mariadb-dump --single-transaction --hex-blob", "mariadb"),
}


@frozen(kw_only=True)
class Backup:
    """A copy that was opened and proved."""

    file: str
    """Its path."""
    size: int
    """Its bytes."""
    revision: str
    """The revision of its schema."""
    districts: int
    """How many districts it holds."""
    events: int
    """Events in all their journals together; each was checked."""
    replayed: bool
    """Whether the tables were held against the journals too. Of an older schema, they are not."""


def back_up(url: str, *, at: datetime, file: str | None = None) -> Backup:
    """Copy a database file while it may be in use, and prove the copy.

    Args:
        url: The database file's address.
        at: Now, for the name of the copy.
        file: Where the copy goes; beside the file, with the time in its name, when not given.

    Raises:
        FeatureMissing: the database is on a server; `dump_command` is how to copy that.
        PlaceTaken: there is a file of that name.
        JournalBroken: the copy's journal does not verify.
        CopyDiffers: the copy's tables do not follow from its journal.
        StoreDamaged: the copy is not a sound database.
    """
    if not is_file(url):
        msg = "a database on a server is copied with its own tool"
        raise FeatureMissing(msg, hint=dump_command(url))
    engine = SqliteEngine(parsed(reading(url)), lock_timeout=_WAIT)
    try:
        found, here = revision(engine)
        refuse(found, here, engine)
        path = file or f"{engine.path}.backup-{here}-{at:%Y%m%dT%H%M%SZ}"
        engine.guarded(lambda: engine.copy_to(path))
    finally:
        engine.close()
    return check_backup(path)


def check_backup(path: str) -> Backup:
    """Prove a copy: a sound file, journals that verify, tables that follow from them.

    Raises:
        StoreUnavailable: there is no such file, or it is no copy of a store.
        StoreDamaged: it is not a sound database.
        SchemaTooNew: a newer version of assetflow wrote it.
        JournalBroken: a journal does not verify.
        CopyDiffers: tables do not follow from their journal.
    """
    if not os.path.isfile(path):  # noqa: PTH113  # pathlib is slow to load
        msg = "there is no such file"
        raise StoreUnavailable(msg, hint="Check the path of the copy.")
    engine = SqliteEngine(parsed(reading(f"sqlite:///{path}")), lock_timeout=_WAIT)
    store = SqlStore(engine)
    try:
        found, here = revision(engine)
        refuse(found, here, engine)
        engine.guarded(lambda: _sound(engine.sa_engine))
        heads = heads_of(store)
        for district in store.districts():
            with store.read(district) as tx:
                verify(tx)
                if found is Found.CURRENT and compare(tx, limit=1):
                    msg = "the copy's tables do not follow from its journal"
                    raise CopyDiffers(msg, hint="Look at the store: assetflow journal verify")
        return Backup(
            file=path,
            size=os.stat(path).st_size,  # noqa: PTH116  # as above
            revision=here or "",
            districts=len(heads),
            events=sum(head.seq for head in heads.values()),
            replayed=found is Found.CURRENT,
        )
    finally:
        store.close()


def restore(file: str, url: str) -> Backup:
    """Put a copy in a new place, after proving it. The copy itself is left as it is.

    An older schema stays as it is; it is brought up to date when the store is opened.

    Args:
        file: The copy.
        url: The address of a file that is not there yet.

    Raises:
        FeatureMissing: the place is on a server; `restore_command` is how to restore there.
        PlaceTaken: there is a file already.
        StoreUnavailable: there is no such copy.
        JournalBroken: a journal of the copy does not verify.
        CopyDiffers: the copy's tables do not follow from its journal.
    """
    if not is_file(url):
        msg = "a database on a server is restored with its own tool"
        raise FeatureMissing(msg, hint=restore_command(url))
    place = parsed(url).database or ""
    if os.path.exists(place):  # noqa: PTH110  # as above
        msg = "there is a file already, and none is overwritten"
        raise PlaceTaken(msg, hint="Name a new file; move the old one away, with its -wal.")
    check_backup(file)
    engine = SqliteEngine(parsed(reading(f"sqlite:///{file}")), lock_timeout=_WAIT)
    try:
        engine.guarded(lambda: engine.copy_to(place))
    finally:
        engine.close()
    return check_backup(place)


def dump_command(url: str) -> str:
    """The command with which a server's database is copied; it asks for the password itself."""
    return _command(parsed(url), 0)


def restore_command(url: str) -> str:
    """The command with which such a copy is put into an empty database."""
    return _command(parsed(url), 1)


def _command(url: sa.URL, which: int) -> str:
    engine = url.get_backend_name()
    tools = _TOOLS.get(engine)
    if tools is None:
        msg = "no tool is known that copies this database"
        raise FeatureMissing(msg, hint="Ask its people how they back it up.")
    postgres = engine == "postgresql"
    user = "--username" if postgres else "--user"
    given = {"--host": url.host, "--port": url.port, user: url.username}
    options = " ".join(f"{k} {shlex.quote(str(v))}" for k, v in given.items() if v)
    if not postgres:
        options += " --password"  # with no value it asks
    name = shlex.quote(url.database or "")
    dump = shlex.quote(f"{url.database or 'district'}.dump")
    target = f"--dbname {name}" if postgres else name
    redirect = (f"--file {dump}" if postgres else f"> {dump}", dump if postgres else f"< {dump}")
    return " ".join(f"{tools[which]} {options} {target} {redirect[which]}".split())


def _sound(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
    if said != "ok":
        msg = "the copy is not a sound database"
        raise StoreDamaged(msg)
