"""Whether what several hands were told of one device can be put into one order.

A device is a register: nobody has it, or one person has it. A history is linearizable when each
call can be given a moment between its beginning and its end, so that in the order of these moments
every answer is the one that the register would have given. (Wing and Gong, *Testing and Verifying
Concurrent Objects*, 1993; the memory of states already tried is Lowe's, 2017.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

__all__ = ["Call", "by_device", "calls_of", "follows", "linearizable"]

INFINITE = 1 << 63
_REFUSED = {
    "device-in-other-hands": lambda has, mine: has is not None and has != mine,
    "already-theirs": lambda has, mine: has == mine,
    "not-checked-out": lambda has, mine: has is None,
    "wrong-holder": lambda has, mine: has is not None and has != mine,
}


@frozen
class Call:
    """One call of one hand."""

    verb: str
    """``out``, or ``in``: taken back from that person."""
    person: str
    """Whose hand."""
    begun: int
    """When it was made."""
    ended: int
    """When it was answered; for ever after when it never was."""
    outcome: str
    """``ok``, the code of a refusal, or ``unknown``."""


def calls_of(words: Iterable[Sequence[object]]) -> list[tuple[str, Call]]:
    """A worker's words as calls, each with its device."""
    found = []
    for device, verb, person, begun, ended, outcome in words:
        unknown = str(outcome).startswith("failed")
        call = Call(
            verb, person, begun, INFINITE if unknown else ended, "unknown" if unknown else outcome
        )
        found.append((device, call))
    return found


def by_device(calls: Iterable[tuple[str, Call]]) -> dict[str, list[Call]]:
    """Each device's own history, which is all that concerns it."""
    found: dict[str, list[Call]] = {}
    for device, call in calls:
        found.setdefault(device, []).append(call)
    return found


def follows(call: Call, has: str | None) -> list[str | None]:
    """What the register may hold after a call, given what it held; empty when it cannot answer so."""
    if call.outcome == "ok":
        if call.verb == "out":
            return [call.person] if has is None else []
        return [None] if has == call.person else []
    if call.outcome == "unknown":
        done = follows(Call(call.verb, call.person, call.begun, call.ended, "ok"), has)
        return [has, *done]
    fits = _REFUSED.get(call.outcome)
    return [has] if fits is not None and fits(has, call.person) else []


def linearizable(calls: Sequence[Call], *, start: str | None = None) -> bool:
    """Whether there is such an order.

    Args:
        calls: A device's history, in any order.
        start: Who had it before.
    """
    ordered = sorted(calls, key=lambda c: c.begun)
    return _search(ordered, start)


def _search(calls: list[Call], start: str | None) -> bool:
    """Depth first. A state is the calls that have their moment, and who has the device.

    The calls are sorted by their beginning, so what is done is nearly a prefix of them: its length,
    and the few calls behind it that are done already.
    """
    todo: list[tuple[int, frozenset[int], str | None]] = [(0, frozenset(), start)]
    tried = set(todo)
    while todo:
        prefix, beyond, has = todo.pop()
        while prefix in beyond:
            beyond = beyond - {prefix}
            prefix += 1
        if _only_unknown(calls, prefix, beyond):
            return True
        for at in _may_be_next(calls, prefix, beyond):
            for after in follows(calls[at], has):
                state = (prefix, beyond | {at}, after)
                if state not in tried:
                    tried.add(state)
                    todo.append(state)
    return False


def _may_be_next(calls: list[Call], prefix: int, beyond: frozenset[int]) -> list[int]:
    """Calls that nothing left over ended before: each may be the next to have its moment."""
    found: list[int] = []
    first_end = INFINITE + 1
    for at in range(prefix, len(calls)):
        if at in beyond:
            continue
        if calls[at].begun > first_end:
            break
        found.append(at)
        first_end = min(first_end, calls[at].ended)
    return found


def _only_unknown(calls: list[Call], prefix: int, beyond: frozenset[int]) -> bool:
    """Whether nothing is left over but calls that may never have happened."""
    return all(calls[at].ended == INFINITE for at in range(prefix, len(calls)) if at not in beyond)
