"""What those who look after a database ask of it: its state, its upgrade, the SQL of an upgrade."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sqlalchemy as sa
from attrs import frozen

from assetflow.errors import ConfigError, InvalidValue, UnknownDistrict
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import (
    HEAD,
    REVISIONS,
    Found,
    make_views,
    refuse,
    revision,
    sql_since,
    upgrade,
)
from assetflow.store.sql.store import SqlStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetflow.model import DistrictId
    from assetflow.store.ports import Head

__all__ = [
    "DatabaseState",
    "ReportingView",
    "Upgrade",
    "database_state",
    "pending_sql",
    "reading",
    "reporting_views",
    "upgrade_database",
]

_WAIT = 30.0


@frozen(kw_only=True)
class DatabaseState:
    """What a database holds, and whether this version works with it."""

    address: str
    """Where it is, without a password."""
    engine: str
    """``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``."""
    found: Found
    """How its schema stands to this version."""
    revision: str | None
    """The revision that it has; ``None`` when it has none."""
    needed: str
    """The revision that this version works with."""
    size: int | None
    """Bytes that it takes up; ``None`` where that cannot be asked for."""
    districts: int
    """How many districts it holds."""
    events: int
    """Events in all their journals together."""
    district: DistrictId | None
    """The district, when it was named or is the only one."""
    head: Head | None
    """The end of that district's journal."""


@frozen(kw_only=True)
class Upgrade:
    """What an upgrade did."""

    address: str
    """Where the database is, without a password."""
    before: str | None
    """The revision that it had; ``None`` when it had none."""
    revision: str
    """The revision that it has now."""
    copy: str | None
    """The path of the copy that was made before, if one was."""


@frozen(kw_only=True)
class ReportingView:
    """A view for those who read with other tools."""

    name: str
    """Its name."""
    about: str
    """What it shows, in a line."""
    personal: bool
    """Whether its columns are personal."""


def parsed(url: str) -> sa.URL:
    """An address in its parts.

    Raises:
        ConfigError: it is none.
    """
    try:
        return sa.make_url(url)
    except sa.exc.ArgumentError:
        pass
    msg = "the store's URL is not an address of a store"
    raise ConfigError(msg, hint="sqlite:///lincoln.db")


def is_file(url: str) -> bool:
    """Whether an address names a file, and no server."""
    return parsed(url).get_backend_name() == "sqlite"


def reading(url: str) -> str:
    """The same address for reading alone, where an address can say so."""
    if not is_file(url):
        return url
    return parsed(url).update_query_dict({"mode": "ro"}).render_as_string(hide_password=False)


def database_state(url: str, *, district: str | None = None) -> DatabaseState:
    """Look at a database; nothing is written, and no schema is refused.

    Args:
        url: Its address.
        district: Whose journal's end to tell, when it holds several. They are not listed.

    Raises:
        UnknownDistrict: it does not hold the district that was named.
        StoreUnavailable: there is no such file or server.
    """
    engine = engine_for(reading(url), lock_timeout=_WAIT)
    store = SqlStore(engine)
    try:
        found, here = revision(engine)
        ours = found in (Found.CURRENT, Found.OLDER)
        heads = heads_of(store) if ours else {}
        if district is not None and ours and district not in heads:
            msg = "the store does not hold that district"
            raise UnknownDistrict(msg)
        only: Sequence[str] = [district] if district is not None else list(heads)
        told = only[0] if len(only) == 1 and only[0] in heads else None
        return DatabaseState(
            address=engine.address,
            engine=engine.dialect.name,
            found=found,
            revision=here,
            needed=HEAD,
            size=engine.size(),
            districts=len(heads),
            events=sum(head.seq for head in heads.values()),
            district=told,  # type: ignore[arg-type]  # a new type of text
            head=heads.get(told or ""),
        )
    finally:
        store.close()


def heads_of(store: SqlStore) -> dict[str, Head]:
    """The end of each district's journal; of any schema that had one."""
    found: dict[str, Head] = {}
    for district in store.districts():
        with store.read(district) as tx:
            found[district] = tx.head()
    return found


def upgrade_database(url: str) -> Upgrade:
    """Bring a database to the schema of this version, under a lock; a file is copied first.

    Raises:
        SchemaTooNew: a newer version of assetflow wrote it.
        SchemaOutdated: the address says that nothing is to be written.
        StoreUnavailable: there is no such file or server, or it holds another program's tables.
    """
    engine = engine_for(url, lock_timeout=_WAIT)
    try:
        _, before = revision(engine)
        copy = upgrade(engine)
        return Upgrade(address=engine.address, before=before, revision=HEAD, copy=copy)
    finally:
        engine.close()


def reporting_views(url: str, *, personal: bool = False) -> list[ReportingView]:
    """Make the reporting views anew, and list them.

    Args:
        url: The database.
        personal: Those of personal columns too; without it they are taken away.

    Raises:
        SchemaOutdated: it is of an older version, or the address says that nothing is written.
        StoreUnavailable: there is no such server, or it holds another program's tables.
    """
    from assetflow.store.sql import views  # noqa: PLC0415  # only here

    engine = engine_for(url, lock_timeout=_WAIT)
    try:
        make_views(engine, personal=personal)
    finally:
        engine.close()
    named = views.personal_reports() if personal else ()
    told = [(r, False) for r in views.reports()] + [(r, True) for r in named]
    return [ReportingView(name=r.name, about=r.about, personal=own) for r, own in told]


def pending_sql(url: str, *, since: str | None = None) -> str:
    """The SQL of an upgrade, for people who run it themselves. Nothing is written.

    Args:
        url: The database. With *since*, or with an address that names an engine alone, such as
            ``postgresql://``, nothing is asked of any server.
        since: The revision that is there, or ``base`` for an empty database.

    Returns:
        Empty when there is nothing to do.

    Raises:
        InvalidValue: *since* is no revision of this version.
        FeatureMissing: a step that cannot be written down beforehand, on SQLite.
        SchemaTooNew: a newer version of assetflow wrote it.
        StoreUnavailable: there is no such server, or it holds another program's tables.
    """
    if since is not None and since not in ("base", *REVISIONS):
        msg = "that is no revision of this version"
        raise InvalidValue(msg, hint=f"Revisions: base, {', '.join(REVISIONS)}.")
    here = (since if since != "base" else None) if since is not None else _revision_at(url)
    if here == HEAD:
        return ""
    return sql_since(parsed(url).get_backend_name(), here)


def _revision_at(url: str) -> str | None:
    named = parsed(url).database
    if not named or (is_file(url) and not os.path.exists(named)):  # noqa: PTH110  # slow to load
        return None
    engine = engine_for(reading(url), lock_timeout=_WAIT)
    try:
        found, here = revision(engine)
        if found is not Found.NOTHING:
            refuse(found, here, engine)
        return here
    finally:
        engine.close()
