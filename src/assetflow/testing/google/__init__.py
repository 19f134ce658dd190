"""A fake Directory API: Google Workspace on this machine, for tests, demos and benchmarks.

```
python -m assetflow.testing.google --port 8123 --devices 700 --latency-ms 100 --fault quota
```

It imports no test tool and reaches nothing beyond loopback.
"""

from assetflow.testing.google.faults import FAULTS
from assetflow.testing.google.fleet import Fleet
from assetflow.testing.google.server import FakeGoogle

__all__ = ["FAULTS", "FakeGoogle", "Fleet"]
