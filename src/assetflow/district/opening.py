"""Opens a store and binds one of its districts."""

from __future__ import annotations

import getpass
import os
import re
from typing import TYPE_CHECKING

from assetflow.district.district import District
from assetflow.district.session import Clock, Session, fresh_id, utc_now
from assetflow.errors import DistrictRequired, InvalidValue, StoreUnavailable, UnknownDistrict
from assetflow.model import District as DistrictRecord
from assetflow.model import DistrictId
from assetflow.model.events import DistrictCreated
from assetflow.store.ports import Entry, Put

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetflow.model import DistrictPolicy
    from assetflow.store.ports import CommitHook, Store

__all__ = ["open_district"]

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def open_district(
    url: str | os.PathLike[str] | Store,
    *,
    district: str | None = None,
    actor: str | None = None,
    create: bool = False,
    name: str | None = None,
    time_zone: str | None = None,
    policy: DistrictPolicy | None = None,
    clock: Clock = utc_now,
    new_id: Callable[[], str] = fresh_id,
    on_commit: CommitHook | None = None,
    lock_timeout: float = 30.0,
) -> District:
    """Open a district: ``assetflow.open("sqlite:///lincoln.db")``.

    Args:
        url: A database address such as ``sqlite:///lincoln.db``, the path of an SQLite file,
            ``memory:`` for a store that ends with the process, or a store that is open already
            and stays its caller's to close.
        district: The district's id. Not needed while the store holds one.
        actor: Who acts, for the journal: a work address or a script's name. The user's login
            name when not given. Erasable.
        create: Make the district, and its file, if they are not there.
        name: The new district's name as printed; its id when not given.
        time_zone: The new district's IANA time zone.
        policy: Settings to use instead of those that the district adopted.
        clock: Tells the time, in UTC.
        new_id: Makes ids.
        on_commit: Told after each commit.
        lock_timeout: Seconds for which a writer waits for another one, of a store opened here.

    Raises:
        DistrictRequired: the store holds several districts, or none.
        UnknownDistrict: it does not hold that one.
        StoreUnavailable: there is no such file or server.
        SchemaTooNew: it was written by a newer version of assetflow.
    """
    if isinstance(url, str | os.PathLike):
        owned, store = (
            True,
            store_at(os.fspath(url), create=create, on_commit=on_commit, lock_timeout=lock_timeout),
        )
    else:
        owned, store = False, url
    try:
        session = Session(
            store=store,
            district=DistrictId(""),
            actor=actor or _login(),
            clock=clock,
            new_id=new_id,
            fixed_policy=policy,
        )
        chosen = _choose(store, district, create=create)
        session = session.same_for(district=chosen)
        if create and chosen not in store.districts():
            _create(session, name or chosen, time_zone)
    except BaseException:
        if owned:
            store.close()
        raise
    return District(session, owns_store=owned)


def store_at(
    url: str,
    *,
    create: bool = False,
    on_commit: CommitHook | None = None,
    lock_timeout: float = 30.0,
) -> Store:
    """The store at an address, or in a file; opened, so that it is the caller's to close.

    Raises:
        StoreUnavailable: there is no such file or server.
    """
    if url == "memory:":
        from assetflow.store.memory import MemoryStore  # noqa: PLC0415  # only the store that is asked for

        return MemoryStore(on_commit=on_commit)
    from assetflow.store.sql import SqlStore  # noqa: PLC0415  # SQLAlchemy is loaded here, not at import

    address = url if "://" in url else f"sqlite:///{url}"
    file = address.removeprefix("sqlite:///").partition("?")[0]
    if address.startswith("sqlite:///") and not create and not os.path.exists(file):  # noqa: PTH110  # pathlib is slow to load
        msg = "there is no such file"
        raise StoreUnavailable(
            msg, hint="Check the path; `assetflow init` or create=True makes a new one."
        )
    return SqlStore.open(address, on_commit=on_commit, lock_timeout=lock_timeout)


def _choose(store: Store, district: str | None, *, create: bool) -> DistrictId:
    held = store.districts()
    if district is not None:
        if not _ID.fullmatch(district):
            msg = "a district's id is lower-case letters, digits and hyphens, at most 63"
            raise InvalidValue(msg)
        if district not in held and not create:
            msg = "the store does not hold that district"
            raise UnknownDistrict(msg)
        return DistrictId(district)
    if len(held) == 1:
        return held[0]
    if create and not held:
        return DistrictId("district")
    if not held:
        msg = "the store holds no district yet"
        raise DistrictRequired(
            msg, hint='Make one: assetflow.open(url, district="...", create=True).'
        )
    msg = "the store holds several districts"
    raise DistrictRequired(msg)


def _create(session: Session, name: str, time_zone: str | None) -> None:
    record = DistrictRecord(id=session.district, name=name)
    if time_zone is not None:
        from attrs import evolve  # noqa: PLC0415  # only here

        record = evolve(record, time_zone=time_zone)
    session.write(
        lambda tx, act: tx.record(
            [
                Entry(
                    event=DistrictCreated(name=name),
                    subject_id=record.id,
                    stamp=act.stamp(),
                    puts=(Put(record),),
                )
            ]
        )
    )


def _login() -> str:
    try:
        return f"login:{getpass.getuser()}"
    except (OSError, KeyError):
        return "login:unknown"
