"""The store in memory is the specification, so it conforms to itself and to the port."""

import pytest
from attrs import evolve

from assetflow.store.memory import MemoryStore
from assetflow.store.schema import kind_of
from assetflow.testing import StoreConformance, store_machine


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self):
        store = MemoryStore()
        yield store
        store.close()

    @pytest.fixture
    def hooked(self):
        return lambda on_commit: MemoryStore(on_commit=on_commit)

    @pytest.fixture
    def tamper(self):
        def change(store, district, seq, column, value):
            events = store._states[district].events
            if column == "*":
                del events[seq - 1]
            else:
                events[seq - 1] = evolve(events[seq - 1], **{column: value})

        return change

    @pytest.fixture
    def alter(self):
        def change(store, district, record):
            table = store._states[district].tables[kind_of(record).name]
            table.put(kind_of(record).key_of(record), record)

        return change


TestMemoryMachine = store_machine(MemoryStore).TestCase
