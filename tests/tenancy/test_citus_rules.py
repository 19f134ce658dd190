"""Every table, key and statement is one that Citus takes, by its documented rules.

Citus is in no package registry, so it is not run here; what its documentation asks is checked
instead, of all that the schema has and all that the store compiles. Sources:

* DDL: https://docs.citusdata.com/en/stable/develop/reference_ddl.html
* SQL that is supported: https://docs.citusdata.com/en/stable/develop/reference_workarounds.html
* Questions: https://docs.citusdata.com/en/stable/faq/faq.html
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList

import assetflow
from assetflow.model import FIGURES, RECORDS
from assetflow.store.sql import SqlStore, citus, statements
from assetflow.store.sql.library import Library
from assetflow.store.sql.statements import JournalStatements, KindStatements
from assetflow.store.sql.tables import DISTRICT, METADATA

TABLES = METADATA.sorted_tables

# --- tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_table_can_be_distributed_by_its_district(table):
    """The column is there, always known, and of one type in all, so that shards lie together.

    "By default tables are co-located when they are distributed by columns of the same type"
    (create_distributed_table, https://docs.citusdata.com/en/stable/develop/api_udf.html).
    """
    column = table.c[DISTRICT]
    assert not column.nullable
    kind = postgresql.dialect().type_compiler_instance.process(column.type)
    assert kind == 'VARCHAR(64) COLLATE "C"'
    assert column.server_default is None


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_key_holds_the_district(table):
    """ "Primary keys and uniqueness constraints must include the distribution column"."""
    assert next(iter(table.primary_key.columns)).name == DISTRICT
    unique = [i for i in table.indexes if i.unique]
    unique += [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    for one in unique:
        assert DISTRICT in one.columns
    assert not [c for c in table.constraints if isinstance(c, postgresql.ExcludeConstraint)], (
        "an exclusion constraint is a unique key too"
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_reference_holds_the_district_on_both_sides(table):
    """ "To set up a foreign key between colocated distributed tables, always include the
    distribution column in the key." No action may set the column itself."""
    for key in table.foreign_key_constraints:
        pairs = [(e.parent.name, e.column.name) for e in key.elements]
        assert pairs[0] == (DISTRICT, DISTRICT)
        assert key.referred_table in TABLES
        assert {key.ondelete, key.onupdate} <= {None, "NO ACTION", "RESTRICT"}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_no_table_needs_a_counter_or_a_default_of_the_cluster(table):
    """Ids are made by the client: a sequence would be one for all nodes."""
    for column in table.columns:
        assert column.server_default is None
        assert column.default is None
        assert column.identity is None
        assert column.autoincrement in ("auto", False)
        assert not (column.autoincrement == "auto" and table.autoincrement_column is column)


def test_tables_are_distributed_after_those_that_they_refer_to():
    placed: set[str] = set()
    for table in TABLES:
        for key in table.foreign_key_constraints:
            assert key.referred_table.name in placed | {table.name}
        placed.add(table.name)
    assert list(citus.DISTRIBUTED) == [t.name for t in TABLES]


def test_the_step_names_every_table_and_shares_only_the_revision():
    step = citus.distribution()
    for table in TABLES:
        assert step.count(f"create_distributed_table('{table.name}', '{DISTRICT}'") == 1
    assert step.count("colocate_with => 'none'") == 1
    assert step.count("create_reference_table(") == 1
    assert "create_reference_table('assetflow_alembic_version')" in step
    assert step.index("pg_extension") < step.index("create_distributed_table")


# --- statements -------------------------------------------------------------------------------

ALL_SHARDS = {
    "SELECT af_event_head.district_id FROM af_event_head WHERE af_event_head.seq > 0",
}
"""Statements that ask every shard, lock nothing and are not part of a district's work."""


class Recorded:
    """What was compiled: statements as values and the columns that they set, by their text."""

    def __init__(self) -> None:
        self.all: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def hook(self, patch: pytest.MonkeyPatch) -> None:
        real = statements.Prepared.__init__

        def init(prepared, statement, dialect, names, columns=None):
            real(prepared, statement, dialect, names, columns)
            self.all[" ".join(prepared.sql.split())] = (statement, tuple(columns or ()))

        patch.setattr(statements.Prepared, "__init__", init)


def catalogue(of: Any) -> Iterator[tuple[str, Any]]:
    """Everything that a list of statements offers, each with arguments that make it.

    A method with a parameter that is not known here fails: say what to give it.
    """
    for name, member in inspect.getmembers(type(of)):
        if name.startswith("_") or name == "plain_key":
            continue
        if isinstance(member, cached_property):
            yield name, lambda name=name: getattr(of, name)
        elif inspect.isfunction(member):
            given: list[dict[str, Any]] = [{}]
            for parameter in list(inspect.signature(member).parameters)[1:]:
                values = {
                    "size": statements.LIST_SIZES,
                    "changed": [(len(getattr(of, "kind", None).columns) - 1,)]
                    if hasattr(of, "kind")
                    else [],
                    "field": [f for f, _ in of.kind.refers] if hasattr(of, "kind") else [],
                    "subject": (True, False),
                    "batch": (True, False),
                }[parameter]
                given = [{**g, parameter: v} for g in given for v in values]
            for arguments in given:
                yield name, lambda name=name, a=arguments: getattr(of, name)(**a)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, furnish):
    """All statements of the catalogue, and those that a district's whole life compiles."""
    found = Recorded()
    with pytest.MonkeyPatch.context() as patch:
        found.hook(patch)
        store = SqlStore.open(f"sqlite:///{tmp_path_factory.mktemp('citus') / 'all.db'}")
        for name in ("adams", "polk"):
            live_through(furnish(store, name, name).district)
        consortium = assetflow.open_consortium(store, districts=["adams", "polk"])
        for name in FIGURES:
            consortium.figures(name)
        library = Library(store.library.engine)
        lists: list[Any] = [library.journal, *(library.over(record) for record in RECORDS)]
        for of in lists:
            assert isinstance(of, JournalStatements | KindStatements)
            for _, make in catalogue(of):
                make()
        store.close()
    return found.all


def live_through(district: assetflow.District) -> None:
    """What a district asks: lists, figures, what needs a person, the proof."""
    for part in (district.devices, district.people, district.places):
        part.where().limit(3).order_by("id").all()
    device = district.devices.where().first()
    district.devices.history(device)
    district.custody.history(device).all()
    district.custody.where_open().count()
    district.attention()
    district.journal.verify()
    list(district.drift("google"))
    for name in FIGURES:
        district.figures(name)


def here(where: Any, table: sa.Table) -> bool:
    """Whether a filter binds the table's district to one value, whatever else it says."""
    if isinstance(where, BooleanClauseList) and where.operator is operators.and_:
        return any(here(part, table) for part in where.clauses)
    return (
        isinstance(where, BinaryExpression)
        and where.operator is operators.eq
        and where.left is table.c[DISTRICT]
        and isinstance(where.right, BindParameter)
    )


def several(statement: Any, table: sa.Table) -> bool:
    """Whether a statement names a list of districts, and groups by the district first of all.

    Citus computes such groups where they lie: "if the grouping is by the distribution column"
    (https://docs.citusdata.com/en/stable/develop/reference_sql.html#aggregate-functions).
    """
    groups = list(statement._group_by_clauses)  # SQLAlchemy has no public way
    names = [
        w for w in parts(statement.whereclause) if getattr(w, "left", None) is table.c[DISTRICT]
    ]
    return bool(names) and bool(groups) and groups[0] is table.c[DISTRICT]


def parts(where: Any) -> list[Any]:
    if isinstance(where, BooleanClauseList) and where.operator is operators.and_:
        return [p for clause in where.clauses for p in parts(clause)]
    return [where]


def check_select(text: str, statement: Any) -> None:
    for inner in visitors.iterate(statement):
        if not isinstance(inner, sa.Select):
            continue
        tables = [f for f in inner.get_final_froms() if isinstance(f, sa.Table)]
        assert len(tables) < 2, f"joins are not needed, and are not routed by this test: {text}"
        for table in tables:
            routed = here(inner.whereclause, table)
            assert routed or several(inner, table) or text in ALL_SHARDS, text
            if inner._for_update_arg is not None:
                # "SELECT … FOR UPDATE work in single-shard queries only"
                assert routed, text


def check_insert(text: str, statement: Any, *, columns: tuple[str, ...]) -> None:
    """ "Subqueries within INSERT queries are not supported", and the row says its district."""
    assert columns[0] == DISTRICT, text
    assert statement.select is None, text
    clause = statement._post_values_clause  # what ON CONFLICT leaves
    if clause is not None:
        assert DISTRICT in clause.inferred_target_elements, text
        changed = dict(getattr(clause, "update_values_to_set", ()))
        assert DISTRICT not in changed, text


def test_every_statement_is_sent_to_one_node_or_pushed_down(recorded):
    assert len(recorded) > 300, "the hook did not see the store's statements"
    for text, (statement, columns) in recorded.items():
        if isinstance(statement, sa.Insert):
            check_insert(text, statement, columns=columns)
        elif isinstance(statement, sa.Update | sa.Delete):
            assert here(statement.whereclause, statement.table), text
            # the distribution column's value cannot be changed
            assert DISTRICT not in columns, text
        else:
            check_select(text, statement)


def test_no_statement_of_a_change_calls_a_function(recorded):
    """ "Functions used in UPDATE queries on distributed tables must not be VOLATILE": there are none."""
    for text, (statement, _) in recorded.items():
        if isinstance(statement, sa.Update | sa.Delete | sa.Insert):
            calls = [
                e
                for e in visitors.iterate(statement)
                if isinstance(e, sa.sql.functions.FunctionElement)
            ]
            assert calls == [], text


def test_the_check_notices_a_statement_without_its_district(recorded):
    device = METADATA.tables["af_device"]
    astray = sa.select(device.c.id).where(device.c.serial == sa.bindparam("s"))
    with pytest.raises(AssertionError):
        check_select(str(astray), astray)
    either = sa.select(device.c.id).where(
        sa.or_(device.c[DISTRICT] == sa.bindparam("d"), device.c.serial == sa.bindparam("s"))
    )
    with pytest.raises(AssertionError):
        check_select(str(either), either)
