"""Processes that begin together and say how long each thing took them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["WARM", "begin", "collect", "p99", "serve", "together"]


WARM = 3
"""Acts of each process that are not counted: its first ones compile their statements."""


def begin(module: str, orders: Iterable[Sequence[Any]]) -> list[subprocess.Popen[str]]:
    """Start a process for each order, and wait until all are ready."""
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(p for p in (root, *sys.path) if p)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(list(order))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        for order in orders
    ]
    for each in started:
        if each.stdout is None or each.stdout.readline() != "ready\n":
            for other in started:
                other.kill()
            raise RuntimeError("a process could not begin")
    for each in started:
        print("go", file=each.stdin, flush=True)
    return started


def collect(started: Iterable[subprocess.Popen[str]]) -> list[list[float]]:
    """What each measured, in seconds."""
    told = []
    for each in started:
        out, _ = each.communicate(timeout=300)
        if each.returncode:
            raise RuntimeError("a process failed")
        told.append(json.loads(out))
    return told


def together(module: str, orders: Iterable[Sequence[Any]]) -> tuple[float, list[float]]:
    """Have them work at once: things done in a second, and the seconds that each took."""
    told = collect(begin(module, orders))
    times = [t for one in told for t in one]
    return len(times) / max(map(sum, told)), times


def serve(prepare: Callable[..., Iterable[Callable[[], object]]]) -> None:
    """In a process: get ready, wait, do, and tell."""
    acts = prepare(*json.loads(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for act in acts:
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    print(json.dumps(times[WARM:] or times), flush=True)


def p99(times: Sequence[float]) -> float:
    """What one in a hundred takes longer than."""
    return sorted(times)[int(len(times) * 0.99)] if times else 0.0
