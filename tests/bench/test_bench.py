"""Each row of the benchmarks can run; how fast it runs is no test."""

import json

import pytest
from benchmarks import __main__ as command
from benchmarks import page
from benchmarks.measure import Compared, Line, Missing, Target, compare, micros
from benchmarks.rows import ROWS
from benchmarks.source import PagesConnector, changed, first_pages, seen_again
from benchmarks.world import TINY, World


@pytest.fixture(scope="module")
def world():
    with World(TINY) as made:
        yield made


# Servers in processes of their own take seconds to start.
STARTS_A_SERVER = ("client", "shards")
ON_POSTGRESQL = (*[name for name in ROWS if name.startswith("server-")], "writers", "beside")


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name not in STARTS_A_SERVER + ON_POSTGRESQL]
)
def test_a_row_runs_and_says_what_it_compared(world, name):
    lines = list(ROWS[name](world))
    assert lines
    for line in lines:
        assert line.name
        assert line.peer
        assert line.skipped or (line.ratio is not None and line.ratio > 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTS_A_SERVER)
def test_a_row_over_http_runs(world, name):
    [line] = ROWS[name](world)
    assert line.skipped or line.ratio > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_a_row_on_postgresql_runs(world, name):
    lines = list(ROWS[name](world))
    assert lines
    for line in lines:
        assert line.skipped or line.ratio > 0


def test_a_row_without_a_server_is_left_out_visibly(monkeypatch):
    def missing(*_args, **_kwargs):
        raise Missing("no PostgreSQL: apt install postgresql")

    monkeypatch.setattr("benchmarks.world.Postgres", missing)
    with World(TINY) as bare:
        for name in ON_POSTGRESQL:
            if name != "writers":  # which has a file to measure first
                [line] = ROWS[name](bare)
                assert line.skipped
                assert "apt install" in line.peer


def test_a_short_row_is_no_failure_and_a_broken_one_is(monkeypatch, tmp_path, capsys):
    def short(_world):
        yield Line("slow", "9 us", "peer 1 us", 9.0, Target(1.5))

    def broken(_world):
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(command, "ROWS", {"slow": short, "broken": broken})
    out = tmp_path / "lines.json"
    assert command.measure(["slow"], TINY, out=out) == 0
    assert "short" in capsys.readouterr().out
    assert [line["state"] for line in json.loads(out.read_text())["lines"]] == ["short"]
    assert command.measure(["slow", "broken"], TINY) == 1
    assert "broken: could not run" in capsys.readouterr().out


def test_an_unknown_row_is_told(capsys):
    with pytest.raises(SystemExit):
        command.main(["--rows", "decode,nothing"])
    assert "no such row: nothing" in capsys.readouterr().err


def test_a_target_is_a_cost_at_most_or_a_gain_at_least():
    assert Line("a", "", "", 1.4, Target(1.4)).state == "ok"
    assert Line("a", "", "", 1.5, Target(1.4)).state == "short"
    assert Line("a", "", "", 15, Target(15, at_least=True)).state == "ok"
    assert Line("a", "", "", 14, Target(15, at_least=True)).state == "short"
    assert Line("a", "", "", 14).state == "reported"
    assert Line("a", "", "b is not installed", skipped=True).state == "skipped"


def test_the_ratio_is_the_median_over_pairs():
    found = Compared(subject=[1, 4, 9], peer=[1, 2, 3])
    assert (found.cost, found.faster) == (2, 0.5)


def test_pairs_are_timed_in_turn_after_a_warm_up():
    seen = []
    clock = iter(range(100))
    compare(
        lambda number: lambda: seen.append(("subject", number)),
        lambda number: lambda: seen.append(("peer", number)),
        rounds=2,
        clock=lambda: next(clock),
    )
    assert sorted(seen[:2]) == [("peer", 0), ("subject", 0)]
    assert seen[2:] == [("subject", 1), ("peer", 1), ("peer", 2), ("subject", 2)]


def test_times_have_the_digits_that_mean_something():
    times = [micros(s) for s in (3.14159e-6, 123.4e-6, 1.2345e-3, 0.234)]
    assert times == ["3.14 us", "123 us", "1.23 ms", "234 ms"]
    assert micros(3e-3, 1_000) == "3 us"


def test_the_fleet_changes_as_it_is_told_to():
    pages = first_pages(300, page_size=100)

    def devices(bodies):
        return [d for p in PagesConnector(bodies, 300).decode() for d in p.items]

    before, later, moved = (
        devices(pages),
        devices(seen_again(pages, 2027)),
        devices(changed(pages, 1)),
    )
    again = devices(changed(changed(pages, 1), 2))
    assert len(before) == 300
    contacts = [(a.last_seen_at, b.last_seen_at) for a, b in zip(before, later, strict=True)]
    assert all(a is None or (a[:4], b[:4]) == ("2026", "2027") for a, b in contacts)
    places = [(a.location, b.location) for a, b in zip(before, moved, strict=True)]
    assert [n for n, (a, b) in enumerate(places) if a != b] == [0, 100, 200]
    assert again[0].location == moved[0].location.replace("Cart 1", "Cart 2")


def test_a_page_gets_the_table_between_its_marks(tmp_path):
    there = tmp_path / "speed.md"
    there.write_text("# Speed\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n", "utf-8")
    slow = Line("decode a page", "3 us", "a limit 1 us", 3.0, Target(1.5))
    page.write(there, [slow], "CPython, 2 cores")
    text = there.read_text("utf-8")
    assert "| decode a page | 3 us | a limit 1 us | 3x | <= 1.5x | **short** |" in text
    assert "old" not in text
    assert text.startswith("# Speed\n")
    assert text.endswith("\nafter\n")
    page.write(there, [slow, slow], "CPython, 2 cores")
    assert there.read_text("utf-8").count("| decode a page |") == 2


def test_a_page_without_a_place_for_the_table_is_left_alone(tmp_path):
    there = tmp_path / "speed.md"
    there.write_text("# Speed\n", "utf-8")
    with pytest.raises(ValueError, match="bench: begin"):
        page.write(there, [], "CPython")
    assert there.read_text("utf-8") == "# Speed\n"
