"""Flows on both drivers, and the reader that finds unsound ones."""

import ast
import asyncio
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from assetflow.errors import ConnectorError, RemoteNotFound, TransientError
from assetflow.testing import flows as flows_module
from assetflow.testing.flows import assert_sound_flows, flow_faults
from assetflow.wire import AsyncWire, Limits, NoAuth


def test_a_flow_gets_replies_and_gives_a_result(rig, server, tools):
    server.on("/a", tools.answer(200, b"1"))
    server.on("/b", tools.answer(200, b"2"))

    def flow():
        first = yield tools.get("/a")
        second = yield tools.post("/b")
        return first.body + second.body

    assert rig.run(rig.wire(server.url), flow()) == b"12"


def test_a_flow_can_catch_what_a_call_came_to(rig, server, tools):
    server.on("/a", tools.answer(404))
    server.on("/b", tools.answer(201, b"made"))

    caught = []

    def ensure():
        try:
            reply = yield tools.get("/a")
        except RemoteNotFound as error:
            caught.append(error.status)
            reply = yield tools.post("/b")
        return reply.body

    assert rig.run(rig.wire(server.url), ensure()) == b"made"
    assert caught == [404]


def test_what_a_flow_does_not_catch_comes_out(rig, server, tools):
    server.on("/a", tools.answer(404))
    closed = []

    def flow():
        try:
            yield tools.get("/a")
        finally:
            closed.append(True)

    with pytest.raises(RemoteNotFound) as caught:
        rig.run(rig.wire(server.url), flow())
    assert closed == [True]
    assert caught.value.__context__ is None


def test_a_flow_without_a_call_needs_no_network(rig, server):
    def flow():
        yield from ()
        return 5

    assert rig.run(rig.wire(server.url), flow()) == 5
    assert server.connections == 0


def test_a_flow_that_does_not_end_is_ended(rig, server, tools):
    server.on("/a", tools.answer())
    closed = []

    def endless():
        try:
            while True:
                yield tools.get("/a")
        finally:
            closed.append(True)

    wire = rig.wire(server.url, limits=Limits(max_steps=7))
    with pytest.raises(ConnectorError, match="within 7 calls"):
        rig.run(wire, endless())
    assert server.count("/a") == 7
    assert closed == [True]


def test_a_flow_of_exactly_the_allowed_steps_ends(rig, server, tools):
    server.on("/a", tools.answer())

    def three():
        for _ in range(3):
            yield tools.get("/a")
        return "done"

    assert rig.run(rig.wire(server.url, limits=Limits(max_steps=3)), three()) == "done"


def test_only_connector_errors_are_thrown_into_a_flow(rig, server, tools):
    """What is not about the vendor ends the flow from outside."""
    seen = []

    def flow():
        try:
            yield tools.get("/not encoded")
        except BaseException as error:
            seen.append(type(error))
            raise

    with pytest.raises(ValueError, match="percent-encode"):
        rig.run(rig.wire(server.url), flow())
    assert seen == [GeneratorExit]


def test_a_cancelled_flow_is_closed_and_nothing_is_thrown(server, tools):
    seen, here = [], threading.Event()

    def hang(request):
        here.set()
        return server.hang(request)

    server.on("/a", hang)

    def flow():
        try:
            yield tools.post("/a")
        except BaseException as error:
            seen.append(type(error))
            raise

    async def scene():
        async with AsyncWire(server.url, connector="demo", tokens=NoAuth()) as wire:
            task = asyncio.create_task(wire.run(flow()))
            await asyncio.to_thread(here.wait, 5)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scene())
    assert seen == [GeneratorExit]
    assert server.count("/a") == 1


def test_a_flow_that_refuses_to_close_does_not_hide_the_cancellation(server, tools, caplog):
    server.on("/a", server.hang)

    def unsound():
        try:
            yield tools.post("/a")
        finally:
            yield tools.get("/b")

    async def scene():
        async with AsyncWire(server.url, connector="demo", tokens=NoAuth()) as wire:
            task = asyncio.create_task(wire.run(unsound()))
            await asyncio.sleep(0.1)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(scene())
    assert server.count("/b") == 0
    assert "yields in `finally`" in caplog.text


def test_a_step_that_fails_for_a_while_is_tried_again(rig, server, tools):
    server.on("/a", tools.answer(503), tools.answer(200, b"ok"))
    server.on("/b", tools.answer(503))

    def flow():
        reply = yield tools.get("/a")
        try:
            yield tools.post("/b")
        except TransientError:
            return reply.body

    assert rig.run(rig.wire(server.url), flow()) == b"ok"
    assert (server.count("/a"), server.count("/b")) == (2, 1)


# --- the reader --------------------------------------------------------------------------


def faults(text):
    return [(f.function, f.line, f.message) for f in flow_faults(textwrap.dedent(text))]


def test_a_sound_flow_has_no_faults():
    assert (
        faults(
            """
            def make(name) -> Flow[str]:
                try:
                    reply = yield find(name)
                except RemoteNotFound:
                    reply = yield create(name)
                except (ConnectorError, KeyError) as error:
                    raise Refused from error
                finally:
                    log("done")
                    cleanup = lambda: (yield)
                return reply
            """
        )
        == []
    )


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("except:", "catches everything"),
        ("except Exception:", "catches Exception"),
        ("except BaseException as e:", "catches BaseException"),
        ("except (KeyError, errors.AssetflowError):", "catches AssetflowError"),
        ("except builtins.Exception:", "catches Exception"),
        ("except GeneratorExit:", "catches GeneratorExit"),
        ("except* Exception:", "catches Exception"),
    ],
)
def test_a_handler_that_is_too_wide_is_found(handler, message):
    text = f"def f() -> wire.Flow[str]:\n  try:\n    yield call\n  {handler}\n    pass\n"
    assert faults(text) == [("f", 4, message)]


def test_a_yield_in_finally_is_found_wherever_it_hides():
    text = """
        def f() -> "Flow[None]":
            try:
                yield a
            finally:
                if x:
                    for y in z:
                        reply = yield b
                yield from c()
                def inner():
                    yield not_ours
        """
    assert faults(text) == [("f", 8, "yields in `finally`"), ("f", 9, "yields in `finally`")]


def test_suppress_is_a_handler_too():
    text = """
        def f() -> Flow[None]:
            with suppress(KeyError), contextlib.suppress(Exception):
                yield a
        """
    assert faults(text) == [("f", 3, "suppresses Exception")]


def test_what_is_not_a_flow_is_left_alone():
    text = """
        def plain() -> Flow[None]:
            try:
                return other()
            except Exception:
                raise

        def generator():
            try:
                yield 1
            finally:
                yield 2
        """
    assert faults(text) == []


def test_functions_and_modules_are_read_too():
    def unannotated():
        try:
            yield 1
        finally:
            yield 2

    (fault,) = flow_faults(unannotated)
    assert str(fault) == "unannotated, line 5: yields in `finally`"
    with pytest.raises(AssertionError, match="unannotated, line 5"):
        assert_sound_flows(unannotated)
    from assetflow.wire import auth

    assert_sound_flows(auth, "def f() -> Flow[int]:\n  yield 1\n")


def test_the_reader_needs_no_test_tool():
    source = Path(flows_module.__file__).read_text(encoding="utf-8")
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported - {"attrs"} <= set(sys.stdlib_module_names)
