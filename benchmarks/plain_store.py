"""A check-out as one would write it without the library: seven statements, no rules, no replay.

Three ways over the same tables: the driver, SQLAlchemy Core, its ORM. Each reads the device under
its lock, sees that nobody has it, writes custody, the row that makes two impossible, the device
and an event that is chained by hash, and moves the head.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = ["WAYS", "engine_for", "make_tables"]


class _Base(DeclarativeBase):
    pass


class _Device(_Base):
    __tablename__ = "p_device"
    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    lifecycle: Mapped[str] = mapped_column(sa.String(20))
    version: Mapped[int]


class _Custody(_Base):
    __tablename__ = "p_custody"
    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    device_id: Mapped[str] = mapped_column(sa.ForeignKey(_Device.id), index=True)
    person_id: Mapped[str] = mapped_column(sa.String(40), index=True)


class _Open(_Base):
    __tablename__ = "p_open"
    device_id: Mapped[str] = mapped_column(sa.ForeignKey(_Device.id), primary_key=True)
    custody_id: Mapped[str] = mapped_column(sa.ForeignKey(_Custody.id))


class _Event(_Base):
    __tablename__ = "p_event"
    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    body: Mapped[str] = mapped_column(sa.Text)
    hash: Mapped[str] = mapped_column(sa.String(64))


class _Head(_Base):
    __tablename__ = "p_head"
    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    hash: Mapped[str] = mapped_column(sa.String(64))


def make_tables(engine: sa.Engine, devices: list[str]) -> None:
    """The tables, with devices to hand out."""
    _Base.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": d, "lifecycle": "in_stock", "version": 1} for d in devices]
        connection.execute(sa.insert(_Device), rows)
        connection.execute(sa.insert(_Head), {"id": 1, "seq": 0, "hash": "0" * 64})


def _sealed(seq: int, prev: str, device: str, custody: str) -> tuple[int, str, str]:
    body = json.dumps({"seq": seq, "device": device, "custody": custody, "type": "checked_out"})
    return seq, body, hashlib.sha256(f"{prev}{body}".encode()).hexdigest()


def engine_for(url: str) -> sa.Engine:
    """As the library sets its own up: the writer waits, and the commit reaches the disk."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    engine = sa.create_engine(url, connect_args={"timeout": 30.0, "isolation_level": None})

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def driver(url: str) -> Callable[[str, str], None]:
    """The driver's own cursor."""
    lite = url.startswith("sqlite")
    engine = engine_for(url)
    connection: Any = engine.raw_connection().driver_connection
    lock, mark = ("", "?") if lite else (" FOR UPDATE", "%s")

    def sql(text: str) -> str:
        return text.replace("?", mark)

    def check_out(device: str, person: str) -> None:
        cursor, custody = connection.cursor(), str(uuid.uuid4())
        cursor.execute("BEGIN IMMEDIATE") if lite else None
        cursor.execute(sql(f"SELECT version FROM p_device WHERE id = ?{lock}"), (device,))
        (version,) = cursor.fetchone()
        cursor.execute(sql("SELECT custody_id FROM p_open WHERE device_id = ?"), (device,))
        if cursor.fetchone():
            raise AssertionError("in other hands")
        cursor.execute(sql("INSERT INTO p_custody VALUES (?, ?, ?)"), (custody, device, person))
        cursor.execute(sql("INSERT INTO p_open VALUES (?, ?)"), (device, custody))
        update = "UPDATE p_device SET lifecycle = ?, version = ? WHERE id = ? AND version = ?"
        cursor.execute(sql(update), ("deployed", version + 1, device, version))
        cursor.execute(f"SELECT seq, hash FROM p_head WHERE id = 1{lock}")
        seq, prev = cursor.fetchone()
        event = _sealed(seq + 1, prev, device, custody)
        cursor.execute(sql("INSERT INTO p_event VALUES (?, ?, ?)"), event)
        cursor.execute(sql("UPDATE p_head SET seq = ?, hash = ? WHERE id = 1"), event[::2])
        connection.commit()

    return check_out


def core(url: str) -> Callable[[str, str], None]:
    """SQLAlchemy Core's own execution."""
    engine = engine_for(url)
    d, c, o, e, h = (t.__table__ for t in (_Device, _Custody, _Open, _Event, _Head))

    def check_out(device: str, person: str) -> None:
        custody = str(uuid.uuid4())
        with engine.begin() as tx:
            version = tx.scalar(sa.select(d.c.version).where(d.c.id == device).with_for_update())
            if tx.scalar(sa.select(o.c.custody_id).where(o.c.device_id == device)):
                raise AssertionError("in other hands")
            tx.execute(sa.insert(c).values(id=custody, device_id=device, person_id=person))
            tx.execute(sa.insert(o).values(device_id=device, custody_id=custody))
            guarded = sa.update(d).where(d.c.id == device, d.c.version == version)
            tx.execute(guarded.values(lifecycle="deployed", version=version + 1))
            head = sa.select(h.c.seq, h.c.hash).where(h.c.id == 1).with_for_update()
            seq, prev = tx.execute(head).one()
            seq, body, digest = _sealed(seq + 1, prev, device, custody)
            tx.execute(sa.insert(e).values(seq=seq, body=body, hash=digest))
            tx.execute(sa.update(h).where(h.c.id == 1).values(seq=seq, hash=digest))

    return check_out


def orm(url: str) -> Callable[[str, str], None]:
    """SQLAlchemy's ORM."""
    engine = engine_for(url)

    def check_out(device: str, person: str) -> None:
        custody = str(uuid.uuid4())
        with Session(engine) as session, session.begin():
            held = session.get_one(_Device, device, with_for_update=True)
            if session.get(_Open, device):
                raise AssertionError("in other hands")
            session.add(_Custody(id=custody, device_id=device, person_id=person))
            session.flush()
            session.add(_Open(device_id=device, custody_id=custody))
            held.lifecycle, held.version = "deployed", held.version + 1
            session.flush()
            head = session.get_one(_Head, 1, with_for_update=True)
            seq, body, digest = _sealed(head.seq + 1, head.hash, device, custody)
            session.add(_Event(seq=seq, body=body, hash=digest))
            head.seq, head.hash = seq, digest

    return check_out


WAYS = {f.__name__: f for f in (driver, core, orm)}
"""Each way by its name."""
