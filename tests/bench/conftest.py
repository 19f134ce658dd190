"""The benchmarks are no part of the package: they are found beside the sources."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
# A source distribution has the tests and not the benchmarks.
collect_ignore = [] if (ROOT / "benchmarks").is_dir() else ["test_bench.py"]
