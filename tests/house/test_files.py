"""A file is short enough to be read at one sitting."""

import statistics

LONGEST = 500
MEDIAN = 170


def lines(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_source_file_is_longer_than_500_lines(source):
    # errors.py is the one list of every refusal; splitting it would hide the tree.
    assert lines(source) <= (1000 if source.name == "errors.py" else LONGEST)


def test_the_median_file_is_short(root):
    sizes = [lines(path) for path in (root / "src").rglob("*.py")]
    assert statistics.median(size for size in sizes if size > 5) <= MEDIAN
