"""A conformance suite for stores, and a state machine that drives two of them alike.

Whoever writes a store subclasses `StoreConformance` and gives one fixture:

```python
class TestMyStore(StoreConformance):
    @pytest.fixture
    def store(self):
        store = MyStore()
        yield store
        store.close()
```

Four more fixtures may be given; what needs one that is not given is skipped and says so.

* ``reopen(store)`` closes a durable store and returns one over the same data.
* ``tamper(store, district, seq, column, value)`` changes the journal behind the store's back.
* ``alter(store, district, record)`` changes a table behind the store's back.
* ``hooked(on_commit)`` makes a store that tells a commit hook.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.register_assert_rewrite("assetflow.testing._store")

from assetflow.testing._store.asking import Figures, Filters, Orders, Values  # noqa: E402
from assetflow.testing._store.chain import Journal, Observed, Privacy, Tampering  # noqa: E402
from assetflow.testing._store.machine import store_machine  # noqa: E402
from assetflow.testing._store.races import Hooks, Races  # noqa: E402
from assetflow.testing._store.receiving import Receives  # noqa: E402
from assetflow.testing._store.records import Cleaning, Records, Refusing  # noqa: E402
from assetflow.testing._store.together import Plainly, Transactions, Versions  # noqa: E402

__all__ = ["StoreConformance", "store_machine"]


class StoreConformance(
    Records,
    Cleaning,
    Refusing,
    Transactions,
    Versions,
    Plainly,
    Journal,
    Observed,
    Privacy,
    Tampering,
    Filters,
    Orders,
    Values,
    Figures,
    Races,
    Hooks,
    Receives,
):
    """What every store must do: subclass it, give a ``store`` fixture, run it with pytest."""

    @pytest.fixture
    def reopen(self) -> Any:
        """Closes a durable store and opens it again; ``None`` skips visibly."""
        return None
