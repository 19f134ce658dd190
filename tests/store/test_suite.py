"""Every rule of the port has a test that notices when a store breaks it."""

from contextlib import contextmanager

import pytest
from attrs import evolve
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from assetflow.errors import AssetflowError
from assetflow.model import filters
from assetflow.store import journal, memory
from assetflow.store._memory_state import Table
from assetflow.store.memory import MemoryStore, _Reading, _Writing
from assetflow.store.schema import KINDS
from assetflow.testing import StoreConformance, store_machine
from assetflow.testing._store import asking, chain, records
from assetflow.testing._store.tools import entry

FAULTS = []
ONCE = settings(max_examples=200, deadline=None, database=None, phases=[Phase.generate])


def fault(test, **arguments):
    """Register a way to break the store in memory, with a test that must notice it."""

    def register(function):
        shown = "-".join([function.__name__, test.removeprefix("test_")])
        FAULTS.append(pytest.param(function, test, arguments, id=shown))
        return function

    return register


@fault("test_a_block_that_raises_leaves_no_trace")
def keeps_what_was_rolled_back(patch):
    real = _Writing.end

    def end(self):
        if not self._ended:
            self._state.tables.update(self._own)
        real(self)

    patch.setattr(_Writing, "end", end)


@fault("test_a_later_entry_that_fails_undoes_the_earlier_ones")
def commits_after_a_swallowed_or_raised_error(patch):
    real = _Writing.record

    def record(self, entries):
        for one in entries:
            try:
                real(self, [one])
            except AssetflowError:
                self._failed = False

    patch.setattr(_Writing, "record", record)


@fault("test_a_record_that_moved_on_is_not_overwritten")
@fault("test_without_a_version_the_journalled_fields_decide")
@fault("test_a_record_that_is_not_there_is_stale")
def looks_at_no_version(patch):
    patch.setattr(_Writing, "_check_guard", lambda *_: None)


@fault("test_a_key_exists_once", name="device")
@fault("test_a_key_exists_once", name="sighting")
def inserts_over_what_is_there(patch):
    patch.setattr(_Writing, "_insert", _Writing._put)


@fault("test_a_unique_field_is_taken_once_in_a_district")
def forgets_unique_fields(patch):
    def put(self, key, record):
        self.rows[key] = record

    patch.setattr(Table, "put", put)


@fault("test_what_a_record_refers_to_must_be_there")
@fault("test_what_is_referred_to_cannot_be_removed")
def follows_no_reference(patch):
    patch.setattr(_Writing, "_check_references", lambda *_: None)


@fault("test_a_journalled_kind_needs_an_event", name="device", way="upsert")
@fault("test_a_journalled_kind_needs_an_event", name="custody_open", way="delete")
def writes_without_an_event(patch):
    patch.setattr(memory, "_unjournalled", lambda kind: kind)


@fault("test_event_records_and_outbox_are_written_together")
def drops_intents(patch):
    patch.setattr(journal.Prepared, "outbox", lambda *_: [])


@fault("test_unknown_values_come_last_both_ways")
def puts_unknown_values_first(patch):
    def unknown_first(records, order):
        known = [r for r in records if getattr(r, order.name) is not None]
        known.sort(key=lambda r: filters.plain(getattr(r, order.name)), reverse=order.descending)
        return [r for r in records if getattr(r, order.name) is None] + known

    patch.setattr(memory, "_sorted", unknown_first)


@fault("test_filters_select_what_they_select_in_python", cls=KINDS["device"].record)
def takes_unknown_for_false(patch):
    real = _Reading._select

    def select(self, kind, query):
        def test(where, record):
            if isinstance(where, filters.Not):
                return test(where.condition, record) is not True
            return where.test(record) is True

        everything = real(self, kind, evolve(query, where=None))
        return (r for r in everything if query.where is None or test(query.where, r))

    patch.setattr(_Reading, "_select", select)


@fault("test_keys_that_look_alike_are_two", pair=("a", "A"))
def takes_case_for_nothing(patch):
    real = memory.checked_key
    patch.setattr(memory, "checked_key", lambda k, key: tuple(str(p).lower() for p in real(k, key)))


@fault("test_readers_see_one_state")
def reads_what_others_just_wrote(patch):
    real = MemoryStore.read

    @contextmanager
    def read(self, district):
        with real(self, district) as tx:
            tx._table = lambda kind: self._states[district].tables[kind.name]
            yield tx

    patch.setattr(MemoryStore, "read", read)


@fault("test_an_iterator_ends_with_its_transaction", call="find")
@fault("test_an_iterator_ends_with_its_transaction", call="journal")
def lets_iterators_live_on(patch):
    patch.setattr(_Reading, "_while_open", lambda self, source: source())


@fault("test_a_transaction_is_of_no_use_after_its_end", call="get")
@fault("test_a_transaction_is_of_no_use_after_its_end", call="record")
def never_ends(patch):
    patch.setattr(_Reading, "end", lambda self: None)


@fault("test_districts_are_apart")
def mixes_districts(patch):
    real_read, real_write = MemoryStore.read, MemoryStore.write
    patch.setattr(MemoryStore, "read", lambda self, district: real_read(self, "all"))
    patch.setattr(MemoryStore, "write", lambda self, district: real_write(self, "all"))


@fault("test_characters_that_cannot_be_kept_are_replaced")
def keeps_what_cannot_be_kept(patch):
    for module in (journal, memory):
        patch.setattr(module, "clean_text", lambda text, *_: text, raising=False)
    real = KINDS["device"].codec.plain

    def plain(record, tally=None):
        return (record.id, record.asset_tag, *real(record, tally)[2:])

    patch.setattr(KINDS["device"].codec, "plain", plain)


@fault("test_personal_values_are_named_and_marked")
def writes_names_into_the_journal(patch):
    patch.setattr(journal, "mark", lambda secret, kind, key, column, value: value)


@fault("test_an_erasure_leaves_no_mark_and_the_chain_holds")
def marks_with_a_key_of_its_own(patch):
    real = journal._mark

    def mark(kind, key, column, put, value):
        return real(kind, key, column, evolve(put, mark_key=b"own"), value)

    patch.setattr(journal, "_mark", mark)


@fault("test_events_of_a_subject_of_a_batch_and_after_a_number")
def ignores_where_to_begin(patch):
    real = _Reading.journal
    patch.setattr(_Reading, "journal", lambda self, after=0, **which: real(self, **which))


@fault("test_the_last_of_equal_keys_wins")
def lets_the_first_win(patch):
    real = _Writing.upsert

    def upsert(self, records):
        first = {KINDS[r.KIND].key_of(r): r for r in reversed(records)}
        real(self, list(first.values()))

    patch.setattr(_Writing, "upsert", upsert)


@fault("test_shipped_figures", name="fleet_by_site")
def counts_only_what_is_known(patch):
    real = _Reading.aggregate

    def aggregate(self, figure):
        return [row for row in real(self, figure) if None not in row.values()]

    patch.setattr(_Reading, "aggregate", aggregate)


@pytest.mark.parametrize(("break_it", "test", "arguments"), FAULTS)
def test_the_suite_notices(monkeypatch, break_it, test, arguments):
    for module in (asking, chain, records):  # to notice is enough here: no shrinking
        monkeypatch.setattr(module, "examples", lambda _: ONCE)
    break_it(monkeypatch)
    noticed = (AssertionError, pytest.fail.Exception, AssetflowError)
    with pytest.raises(noticed):
        getattr(StoreConformance(), test)(store=MemoryStore(), **arguments)


class Forgetful(MemoryStore):
    """Writes the first of several records only."""

    @contextmanager
    def write(self, district, **options):
        with super().write(district, **options) as tx:
            tx.upsert = lambda records: type(tx).upsert(tx, records[:1])
            yield tx


class Chatty(MemoryStore):
    """Appends an event that nobody asked for."""

    @contextmanager
    def write(self, district, **options):
        with super().write(district, **options) as tx:
            yield tx
            if tx.counts["events"] == 2:
                tx.record([entry()])


@pytest.mark.parametrize("make", [Forgetful, Chatty])
def test_the_machine_notices(make):
    with pytest.raises(AssertionError):
        run_state_machine_as_test(store_machine(make), settings=ONCE)
