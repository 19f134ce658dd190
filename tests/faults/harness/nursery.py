"""A process that forks workers, hears what they say, and kills them.

Python and the library are loaded once, so a worker begins in milliseconds. The nursery itself
opens no store and starts no thread: a worker is forked from a process that holds nothing.

It reads orders from its standard input, a line of JSON each, and answers each with a line that
names the file in which the worker's words lie.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from attrs import field, frozen

__all__ = ["Nursery", "Worker"]

_CHUNK = 1 << 16


@frozen
class Worker:
    """What became of a worker."""

    name: str
    """Its name."""
    code: int
    """Its exit code; below zero the signal that killed it."""
    words: list[Any] = field(repr=False)
    """What it said, in order."""


class Nursery:
    """Forks workers in a process of its own.

    Args:
        folder: For the workers' words.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = os.pathsep.join(p for p in (str(Path(__file__).parents[1]), *sys.path) if p)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def begin(
        self,
        role: str,
        workers: Sequence[dict[str, Any]],
        *,
        kill_after: int | None = None,
        kill_within: float | None = None,
        linger: float = 0.0,
        seed: str = "",
    ) -> None:
        """Have workers do something; `ended` waits for them.

        Args:
            role: A function of ``harness.work``.
            workers: What each is given; ``name`` among it.
            kill_after: Kill them after so many answers of all of them.
            kill_within: Kill them at some moment within so many seconds.
            linger: Wait up to so many seconds before each kill.
            seed: Of the moments.
        """
        order = {
            "role": role,
            "workers": list(workers),
            "kill_after": kill_after,
            "kill_within": kill_within,
            "linger": linger,
            "seed": seed,
            "out": str(self._folder / "words.json"),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def ended(self) -> list[Worker]:
        """Wait for the workers, and hear what they said."""
        out = self._process.stdout.readline().strip()
        if not out:
            raise RuntimeError("the nursery is gone")
        told = json.loads(Path(out).read_text(encoding="utf-8"))
        return [Worker(t["name"], t["code"], t["words"]) for t in told]

    def run(self, role: str, workers: Sequence[dict[str, Any]], **how: Any) -> list[Worker]:
        """Have workers do something, and wait."""
        self.begin(role, workers, **how)
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class _Child:
    """A forked worker, seen from the nursery."""

    def __init__(self, role: Any, given: dict[str, Any], gate: tuple[int, int]) -> None:
        self.name = given["name"]
        self.answers = 0
        self._heard = b""
        self.ready = False
        self.pipe, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.pipe)
                os.close(gate[1])
                role(given, _Voice(writing, gate[0]))
                code = 0
            except BaseException:  # noqa: BLE001  # told on the error output, then it is over
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writing)

    def hear(self) -> bool:
        """Read what it says; whether there may be more."""
        said = os.read(self.pipe, _CHUNK)
        self._heard += said
        self.answers += said.count(b'["done"')
        self.ready = self.ready or bool(said)
        return bool(said)

    def words(self) -> list[Any]:
        # A worker that was killed while it spoke leaves half a line, which says nothing.
        lines = self._heard.split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line != b'"ready"']


class _Voice:
    """How a worker speaks, and how it waits for all to be ready."""

    def __init__(self, pipe: int, gate: int) -> None:
        self._pipe, self._gate = pipe, gate

    def say(self, words: Any) -> None:
        os.write(self._pipe, json.dumps(words).encode() + b"\n")

    def say_many(self, words: Sequence[Any]) -> None:
        said = b"".join(json.dumps(word).encode() + b"\n" for word in words)
        while said:
            said = said[os.write(self._pipe, said) :]

    def wait(self) -> None:
        """Say that it is ready, and wait for the others."""
        self.say("ready")
        os.read(self._gate, 1)


def _serve() -> None:
    from harness import work

    work.warm()
    for line in sys.stdin:
        order = json.loads(line)
        told = _carry_out(order, getattr(work, order["role"]))
        Path(order["out"]).write_text(json.dumps(told), encoding="utf-8")
        sys.stdout.write(order["out"] + "\n")
        sys.stdout.flush()


def _carry_out(order: dict[str, Any], role: Any) -> list[dict[str, Any]]:
    dice = random.Random(order["seed"])
    gate = os.pipe()
    children = [_Child(role, given, gate) for given in order["workers"]]
    os.close(gate[0])
    shut = True
    silent = list(children)
    enough, deadline = order["kill_after"], order["kill_within"]
    if deadline is not None:
        deadline = time.monotonic() + dice.random() * deadline
    while silent:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        heard, _, _ = select.select([c.pipe for c in silent], [], [], left)
        silent = [c for c in silent if c.pipe not in heard or c.hear()]
        if shut and all(c.ready for c in children):
            os.close(gate[1])
            shut = False
        late = deadline is not None and time.monotonic() >= deadline
        if late or (enough is not None and sum(c.answers for c in children) >= enough):
            dice.shuffle(children)
            for child in children:
                time.sleep(dice.random() * order["linger"])
                os.kill(child.pid, signal.SIGKILL)
            enough = deadline = None
    if shut:
        os.close(gate[1])
    told = []
    for child in sorted(children, key=lambda c: c.name):
        _, status = os.waitpid(child.pid, 0)
        os.close(child.pipe)
        code = os.waitstatus_to_exitcode(status)
        told.append({"name": child.name, "code": code, "words": child.words()})
    return told


if __name__ == "__main__":
    _serve()
