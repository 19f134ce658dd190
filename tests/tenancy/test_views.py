"""Reporting views: every kind, readable, typed, nothing personal unless somebody asks for it."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from assetflow.model import Query, Role
from assetflow.store.schema import KINDS, ColumnType
from assetflow.store.sql import SqlStore, migrate
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import make_views, revision, upgrade
from assetflow.store.sql.views import (
    NOT_REPORTED,
    REPORTS,
    create_views,
    is_personal_view,
    personal_reports,
    reports,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory, furnish):
    path = tmp_path_factory.mktemp("views") / "lincoln.db"
    store = SqlStore.open(f"sqlite:///{path}")
    furnish(store, "lincoln", "deer")
    store.close()
    return path


def ask(file, sql):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def views(file):
    return {name for (name,) in ask(file, "SELECT name FROM sqlite_master WHERE type = 'view'")}


# --- what there is ----------------------------------------------------------------------------


def test_every_kind_has_a_view_or_a_reason():
    assert set(REPORTS) | set(NOT_REPORTED) == set(KINDS)
    assert not set(REPORTS) & set(NOT_REPORTED)
    assert len(set(REPORTS.values())) == len(REPORTS)


@pytest.mark.parametrize("report", reports(), ids=lambda r: r.name)
def test_no_view_shows_a_personal_column(report):
    names = [c.name for c in report.columns]
    assert len(set(names)) == len(names)
    assert names[0] == "district_id"
    kept = [c.column for c in report.columns if c.column is not None]
    assert Role.PERSONAL not in {c.role for c in kept}
    assert ColumnType.BYTES not in {c.type for c in kept}


def test_personal_columns_have_views_of_their_own_and_keys_for_marks_have_none():
    shown = {(r.table, c.column.name) for r in personal_reports() for c in r.columns if c.column}
    personal = {
        (f"af_{k.name}", c.name)
        for k in KINDS.values()
        if k.name in REPORTS
        for c in k.columns
        if c.role is Role.PERSONAL and c.type is not ColumnType.BYTES
    }
    assert personal - shown == {("af_person", "email_key")}
    assert not [name for _, name in shown if name == "mark_key"]


# --- SQLite -----------------------------------------------------------------------------------


def test_a_file_has_the_views_and_they_show_every_record(file):
    assert views(file) == {r.name for r in reports()}
    store = SqlStore.open(f"sqlite:///{file}")
    with store.read("lincoln") as tx:
        for kind, view in REPORTS.items():
            (count,) = ask(file, f"SELECT count(*) FROM {view}")[0]
            assert count == tx.count(Query(kind=KINDS[kind].record)) > 0
        assert ask(file, "SELECT max(seq) FROM report_journal") == [(tx.head().seq,)]
    store.close()


def test_names_stand_beside_ids_and_money_is_an_amount(file):
    found = ask(
        file,
        "SELECT d.site_name, d.site_code, m.replacement_cost, m.replacement_cost_currency "
        "FROM report_devices d JOIN report_device_models m ON m.id = d.model_id "
        "WHERE d.asset_tag = 'deer-tag-1'",
    )
    assert found == [("deer High", "deer-site", 319.0, "USD")]
    held = ask(file, "SELECT asset_tag, serial FROM report_custody WHERE ended_at IS NULL")
    assert held == [("deer-tag-1", "deer-serial-1")]


def test_nothing_that_a_view_shows_is_about_a_person(file):
    (person,) = ask(file, "SELECT given_name, family_name, email FROM af_person LIMIT 1")
    shown = "\n".join(str(ask(file, f"SELECT * FROM {r.name}")) for r in reports())
    assert all(person)
    assert not [text for text in person if text in shown]
    assert "note" not in [c.name for r in reports() for c in r.columns]
    assert "deer custody note" not in shown


def test_personal_views_are_made_when_asked_for_and_kept_by_an_upgrade(file, tmp_path, monkeypatch):
    path = tmp_path / "copy.db"
    shutil.copyfile(file, path)
    engine = engine_for(f"sqlite:///{path}", lock_timeout=5)
    make_views(engine, personal=True)
    wanted = {r.name for r in (*reports(), *personal_reports())}
    assert views(path) == wanted
    assert ("deer-1",) in ask(path, "SELECT local_id FROM report_people_personal")
    assert all(is_personal_view(name) for name in wanted - views(file))

    scripts = tmp_path / "scripts"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", scripts)
    (scripts / "versions" / "9999_later.py").write_text(
        f"revision = '9999'\ndown_revision = {migrate.HEAD!r}\ndef upgrade(): pass\n"
    )
    monkeypatch.setattr(migrate, "SCRIPTS", str(scripts))
    monkeypatch.setattr(migrate, "REVISIONS", (*migrate.REVISIONS, "9999"))
    monkeypatch.setattr(migrate, "HEAD", "9999")
    upgrade(engine)
    assert revision(engine)[1] == "9999"
    assert views(path) == wanted

    make_views(engine)
    assert views(path) == {r.name for r in reports()}
    engine.close()


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [("USD", 1234, "12.34"), ("JPY", 1234, "1234"), ("KWD", 1234, "1.234"), ("EUR", -5, "-0.05")],
)
def test_an_amount_has_the_digits_of_its_currency(file, tmp_path, currency, minor, amount):
    path = tmp_path / "copy.db"
    shutil.copyfile(file, path)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE af_device_model SET replacement_cost_minor = ?, replacement_cost_currency = ?",
        (minor, currency),
    )
    shown = connection.execute("SELECT replacement_cost FROM report_device_models").fetchone()[0]
    connection.close()
    assert Decimal(str(shown)) == Decimal(amount)


# --- other tools ------------------------------------------------------------------------------

DUCKDB_TYPES = {
    ColumnType.INSTANT: "TIMESTAMPTZ",
    ColumnType.DATE: "DATE",
    ColumnType.FLAG: "BOOLEAN",
    ColumnType.MINOR: "DECIMAL(18, 3)",
    ColumnType.INTEGER: "BIGINT",
}


@pytest.mark.oracle
def test_duckdb_reads_every_view_of_a_file_with_its_types(file, tmp_path):
    """DuckDB's own reader of SQLite files is no part of its wheel, so a view travels as CSV."""
    duckdb = pytest.importorskip("duckdb")
    reader = duckdb.connect()
    for report in reports():
        target = tmp_path / f"{report.name}.csv"
        connection = sqlite3.connect(file)
        rows = connection.execute(f"SELECT * FROM {report.name}").fetchall()
        connection.close()
        with target.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([[c.name for c in report.columns], *rows])
        types = {
            c.name: DUCKDB_TYPES.get(c.column.type, "VARCHAR") if c.column else "VARCHAR"
            for c in report.columns
        }
        relation = reader.read_csv(str(target), header=True, dtype=types)
        assert [str(t) for t in relation.types] == [
            t.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE").replace(", ", ",")
            for t in types.values()
        ]
        assert len(relation.fetchall()) == len(rows)
    reader.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mysql", "mariadb"])
def test_each_engine_has_its_words(engine):
    made = list(create_views(engine))
    text = "\n".join(made)
    assert text.count("CREATE ") == len(reports())
    assert ("security_invoker" in text) is (engine == "postgresql")
    assert text.count("SQL SECURITY INVOKER") == (len(reports()) if "m" in engine[:1] else 0)
