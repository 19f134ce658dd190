"""PostgreSQL itself keeps districts apart: by raw SQL, under the role that a program has."""

from __future__ import annotations

import shutil
import subprocess

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

import assetflow
from assetflow.errors import ConfigError
from assetflow.model import Device, Query
from assetflow.store.ports import StoreFeature
from assetflow.store.sql import SqlStore
from assetflow.store.sql.addresses import engine_for
from assetflow.store.sql.migrate import make_views
from assetflow.store.sql.tables import METADATA
from assetflow.store.sql.views import personal_reports, reports

TABLES = [t.name for t in METADATA.sorted_tables]
OWN, FOREIGN = "deer-rows", "hawk-rows"


@pytest.fixture(scope="module")
def store(postgres_url, furnish):
    made = SqlStore.open(postgres_url)
    furnish(made, OWN, "deer")
    furnish(made, FOREIGN, "hawk")
    yield made
    made.close()


@pytest.fixture
def raw(store, postgres_url):
    """A session of the program's role, in a transaction that says nothing yet."""
    with psycopg.connect(postgres_url) as connection:
        yield connection
        connection.rollback()


def belong(connection, district):
    connection.execute("SELECT set_config('assetflow.district', %s, true)", (district,))


def count(connection, table):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_the_store_says_that_the_engine_keeps_districts_apart(store):
    assert StoreFeature.ROW_SECURITY in store.features


def test_every_table_is_forced_and_has_both_policies(raw):
    rows = raw.execute(
        "SELECT relname, relrowsecurity AND relforcerowsecurity, "
        "(SELECT array_agg(polname::text ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid) "
        "FROM pg_class c WHERE relname = ANY(%s)",
        (TABLES,),
    ).fetchall()
    assert len(rows) == len(TABLES)
    for name, forced, policies in rows:
        assert forced, name
        more = ["heads"] if name == "af_event_head" else []
        assert policies == ["district", "districts", *more], name


@pytest.mark.parametrize("table", TABLES)
def test_without_a_setting_there_is_no_row(table, raw):
    assert count(raw, table) == 0
    belong(raw, "")
    assert count(raw, table) == 0


@pytest.mark.parametrize("table", TABLES)
def test_with_one_there_are_the_districts_rows_alone(table, raw):
    belong(raw, OWN)
    found = raw.execute(f"SELECT DISTINCT district_id FROM {table}").fetchall()
    assert found == [(OWN,)]


@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_another_district_cannot_be_inserted(table, raw):
    belong(raw, OWN)
    columns = [c.name for c in METADATA.tables[table].columns if c.name != "district_id"]
    names = ", ".join(f'"{c}"' for c in columns)
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        raw.execute(
            f"INSERT INTO {table} (district_id, {names}) SELECT '{FOREIGN}', {names} FROM {table}"
        )


@pytest.mark.parametrize("table", TABLES)
def test_a_row_cannot_be_given_to_another_district(table, raw):
    belong(raw, OWN)
    # The journal's own rule speaks first where it is one that refuses every change.
    with pytest.raises(psycopg.Error) as caught:
        raw.execute(f"UPDATE {table} SET district_id = %s", (FOREIGN,))
    assert isinstance(caught.value, InsufficientPrivilege) or table == "af_event"


@pytest.mark.parametrize(
    "act", ["UPDATE af_device SET lifecycle = 'lost'", "DELETE FROM af_outbox"]
)
def test_a_change_without_a_filter_ends_at_the_district(act, raw):
    belong(raw, OWN)
    changed = raw.execute(act).rowcount
    assert changed > 0
    belong(raw, FOREIGN)
    lost = raw.execute("SELECT count(*) FROM af_device WHERE lifecycle = 'lost'").fetchone()[0]
    assert (lost, count(raw, "af_outbox") > 0) == (0, True)


@pytest.mark.parametrize("end", ["rollback", "commit"])
def test_a_setting_ends_with_its_transaction(end, raw):
    """So a connection that goes back to a pool brings nothing along."""
    belong(raw, OWN)
    assert count(raw, "af_device") > 0
    getattr(raw, end)()
    assert count(raw, "af_device") == 0


def test_a_connection_of_the_stores_pool_says_nothing_between_transactions(store):
    engine = store.library.engine
    with pytest.raises(RuntimeError), store.write(OWN):
        raise RuntimeError
    with store.read(OWN) as tx:
        assert tx.count(Query(kind=Device)) > 0
    connection = engine.connect()
    try:
        driver = connection.driver_connection
        assert driver.execute("SELECT count(*) FROM af_device").fetchone() == (0,)
        said = "SELECT current_setting('assetflow.district', true)"
        assert driver.execute(said).fetchone()[0] in (None, "")
    finally:
        engine.release(connection)


def test_a_list_of_districts_is_read_and_never_written(raw):
    raw.execute("SELECT set_config('assetflow.districts', %s, true)", (f"{OWN}\n{FOREIGN}",))
    found = raw.execute("SELECT DISTINCT district_id FROM af_device ORDER BY 1").fetchall()
    assert found == [(OWN,), (FOREIGN,)]
    assert raw.execute("UPDATE af_device SET lifecycle = 'lost'").rowcount == 0
    assert raw.execute("DELETE FROM af_outbox").rowcount == 0


def test_who_asks_which_districts_there_are_sees_journals_ends_alone(raw):
    raw.execute("SELECT set_config('assetflow.heads', 'on', true)")
    seen = {name: count(raw, name) for name in TABLES}
    assert {name for name, rows in seen.items() if rows} == {"af_event_head"}
    assert raw.execute("UPDATE af_event_head SET seq = 0").rowcount == 0


def test_the_store_lists_districts_and_adds_them_up(store):
    assert {OWN, FOREIGN} <= set(store.districts())
    with assetflow.open_consortium(store, districts=[OWN, FOREIGN]) as consortium:
        found = consortium.figures("fleet_by_lifecycle")
    assert [len(rows) > 0 for rows in found.by_district.values()] == [True, True]


def test_quotes_in_an_id_stay_in_the_id(store):
    odd = "o'brien\\; SET assetflow.district = 'x"
    with store.read(odd) as tx:
        assert tx.count(Query(kind=Device)) == 0
    assert store.aggregate_across([odd], assetflow.model.FIGURES["fleet_by_site"]) == {odd: []}


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
def test_a_role_that_bypasses_it_is_refused(attribute, postgres, postgres_url):
    name = f"mighty_{attribute.lower()}"
    with psycopg.connect(f"{postgres.admin_url}postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN {attribute}")
        if attribute == "BYPASSRLS":
            admin.execute(f"GRANT assetflow TO {name}")
    with pytest.raises(ConfigError) as caught:
        SqlStore.open(postgres_url.replace("//assetflow@", f"//{name}@"))
    assert "CREATE ROLE" in caught.value.hint
    assert name not in f"{caught.value} {caught.value.hint}"


# --- views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", reports(), ids=lambda r: r.name)
def test_a_view_has_native_types_and_shows_the_district_alone(report, raw):
    assert count(raw, report.name) == 0
    belong(raw, OWN)
    rows = raw.execute(f"SELECT * FROM {report.name}")
    types = {column.name: raw.adapters.types[column.type_code].name for column in rows.description}
    words = {"timestamp with time zone": "timestamptz", "boolean": "bool", "bigint": "int8"}
    for column in report.columns:
        wanted = words.get(column.types[0], column.types[0])
        assert types[column.name] in ({"text", "varchar"} if wanted == "text" else {wanted})
    assert {row[0] for row in rows.fetchall()} == {OWN}


def test_a_view_holds_for_whoever_reads_it_also_for_another_role(postgres, postgres_url, store):
    with psycopg.connect(f"{postgres.admin_url}postgres", autocommit=True) as admin:
        admin.execute("CREATE ROLE deer_reports LOGIN")
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO deer_reports")
    with psycopg.connect(f"{postgres.admin_url}tenancy", autocommit=True) as admin:
        admin.execute(f"ALTER ROLE deer_reports SET assetflow.district = '{OWN}'")
    with psycopg.connect(postgres_url.replace("//assetflow@", "//deer_reports@")) as reader:
        districts = reader.execute("SELECT DISTINCT district_id FROM report_people").fetchall()
    assert districts == [(OWN,)]


def test_personal_views_are_made_when_asked_for(postgres_url, store, raw):
    engine = engine_for(postgres_url, lock_timeout=20)
    names = [r.name for r in personal_reports()]
    there = "SELECT count(*) FROM pg_views WHERE viewname = ANY(%s)"
    try:
        make_views(engine, personal=True)
        belong(raw, OWN)
        assert raw.execute(there, (names,)).fetchone() == (len(names),)
        assert ("deergiven1",) in raw.execute(
            "SELECT given_name FROM report_people_personal"
        ).fetchall()
        raw.commit()
    finally:
        make_views(engine)
        engine.close()
    assert raw.execute(there, (names,)).fetchone() == (0,)


def test_psql_reads_a_view(store, postgres_url):
    psql = shutil.which("psql")
    if psql is None:
        pytest.skip("no psql on this machine: apt install postgresql-client")
    script = (
        f"SET assetflow.district = '{OWN}';"
        "SELECT name, replacement_cost, replacement_cost_currency FROM report_device_models "
        "WHERE replacement_cost IS NOT NULL;"
    )
    told = subprocess.run(
        [psql, "-X", "-q", "-A", "-t", "-d", postgres_url, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (line,) = told.stdout.splitlines()
    name, amount, currency = line.split("|")
    assert (name, float(amount), currency) == ("deer Chromebook", 319.0, "USD")
