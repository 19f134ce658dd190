"""The rules of custody, one function each: what it looks at, what it finds, what it refuses with.

Every rule has a code, is asked in a fixed order, and answers for every case, so that an
explanation shows all of them. What a rule refuses with holds ids, codes, counts and days only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from attrs import frozen

from assetflow.errors import (
    AlreadyTheirs,
    ContextValue,
    DateRefused,
    DeviceInOtherHands,
    DeviceUnavailable,
    HolderBlocked,
    HolderLeft,
    InvalidValue,
    LoanLimitReached,
    NotCheckedOut,
    Refusal,
    WrongHolder,
)
from assetflow.model.custody import Custody, CustodyKind, Holder, HolderKind
from assetflow.model.devices import Condition, Device, Lifecycle
from assetflow.model.ids import CustodyId
from assetflow.model.people import Hold
from assetflow.model.policy import CHECK_OUT_FROM, CustodyPolicy
from assetflow.rules.decision import Judgement, Reason, Verdict

__all__ = [
    "CHECK_IN_RULES",
    "CHECK_OUT_RULES",
    "TRANSFER_RULES",
    "Case",
    "Check",
    "Party",
    "terms",
    "when",
]


@frozen(kw_only=True)
class Party:
    """Who is to have a device, as far as the rules look."""

    holder: Holder
    """Who it is."""
    state: str = "active"
    """A code: a person's status, ``erased``; for a place ``open`` or ``closed``."""

    @property
    def there(self) -> bool:
        """Whether it may still be handed something."""
        return self.state not in {"left", "erased", "closed"}


@frozen(kw_only=True)
class Case:
    """Everything that the custody rules look at. Read under a lock, decided on without I/O."""

    device: Device
    """The device."""
    current: Custody | None
    """Its open custody."""
    policy: CustodyPolicy
    """The district's settings."""
    at: datetime
    """Now."""
    today: date
    """The day on which it takes effect, in the district's time zone."""
    effective_at: datetime | None = None
    """When it happened in the school, when that was not now."""
    last_event_at: datetime | None = None
    """When the device's last custody began or ended, as far as it was looked up."""
    to: Party | None = None
    """Who is to answer for it."""
    held_by: Holder | None = None
    """Who is to have it in hand, when that is somebody else."""
    holds: tuple[Hold, ...] = ()
    """What stands against the receiver."""
    held: int = 0
    """How many devices the receiver answers for already."""
    kind: CustodyKind | None = None
    """Assignment or loan; ``None`` for an assignment, and in a transfer for what it was."""
    due_on: date | None = None
    """When it is to come back."""
    condition: Condition | None = None
    """The condition in which it comes back; ``None`` when nobody looked."""
    expected_from: Holder | None = None
    """Who is thought to have it."""
    override: tuple[str, ...] = ()
    """Rules to override, where the policy allows it."""
    reason: str | None = None
    """Why, as a code; an override needs one."""
    custody_id: CustodyId | None = None
    """The id of the custody that begins."""


Check = Callable[[Case], Judgement]

_NOTHING: Mapping[str, ContextValue] = {}
_TICK = timedelta(microseconds=1)


def when(case: Case) -> datetime:
    """When it takes effect, in UTC: as said, else now.

    Two machines' clocks differ by seconds, and a clock may be set back: an act of now never begins
    before what it follows, so that a device's stays have the order in which they happened.
    """
    if case.effective_at is not None:
        return case.effective_at.astimezone(UTC)
    now, last = case.at.astimezone(UTC), _last(case)
    return now if last is None or last <= now else last + _TICK


def terms(case: Case) -> tuple[CustodyKind, date | None]:
    """On what terms the new custody is; a transfer without a word keeps what was agreed."""
    kind = case.kind or (case.current.kind if case.current else CustodyKind.ASSIGNMENT)
    due = case.due_on
    if due is None and case.current is not None and case.current.kind is kind:
        due = case.current.due_on
    return kind, due


# --- the rules -------------------------------------------------------------------------------


def one_holder(case: Case) -> Judgement:
    """``custody.one-holder``: a device has exactly one accountable party (snipe-it #15562, #17896)."""
    rule, now = "custody.one-holder", case.current
    if now is None:
        return _passed(rule)
    found = _held(now)
    if case.to is not None and now.accountable == case.to.holder:
        return _refused(AlreadyTheirs, "they have this device already", rule, case, found)
    return _refused(DeviceInOtherHands, "somebody else has this device", rule, case, found)


def other_party(case: Case) -> Judgement:
    """``custody.other-party``: a transfer goes to somebody else than who has it."""
    rule, now = "custody.other-party", case.current
    if now is None or case.to is None:
        return _not_asked(rule)
    if now.accountable == case.to.holder:
        found = _held(now)
        return _refused(AlreadyTheirs, "they have this device already", rule, case, found)
    return _passed(rule)


def checked_out(case: Case) -> Judgement:
    """``custody.checked-out``: only what is out comes back or goes on."""
    rule = "custody.checked-out"
    if case.current is None:
        lifecycle = case.device.lifecycle.value
        return _refused(
            NotCheckedOut, "nobody has this device", rule, case, {"lifecycle": lifecycle}
        )
    return _passed(rule, _held(case.current))


def expected_party(case: Case) -> Judgement:
    """``custody.expected-party``: who hands it in is who has it, when the caller names them."""
    rule, now = "custody.expected-party", case.current
    if case.expected_from is None or now is None:
        return _not_asked(rule)
    if case.expected_from in {now.accountable, now.holder}:
        return _passed(rule)
    found = _held(now)
    return _refused(WrongHolder, "somebody else has this device", rule, case, found)


def stock(case: Case) -> Judgement:
    """``custody.lifecycle``: devices go out from the lifecycles that the policy names."""
    rule, now = "custody.lifecycle", case.device.lifecycle
    allowed = tuple(x for x in case.policy.check_out_from if x in CHECK_OUT_FROM)
    found: dict[str, ContextValue] = {
        "lifecycle": now.value,
        "allowed": tuple(x.value for x in allowed),
    }
    if now in allowed:
        return _passed(rule, found)
    if now is Lifecycle.DEPLOYED and case.current is None:
        return _passed(rule, {**found, "unnamed_holder": True})
    message = f"the device is {now.value.replace('_', ' ')}"
    return _refused(DeviceUnavailable, message, rule, case, found)


def deployed(case: Case) -> Judgement:
    """``custody.lifecycle``: only a deployed device goes from hand to hand."""
    rule, now = "custody.lifecycle", case.device.lifecycle
    if case.current is None:
        return _not_asked(rule)
    if now is Lifecycle.DEPLOYED:
        return _passed(rule, {"lifecycle": now.value})
    message = f"the device is {now.value.replace('_', ' ')}"
    return _refused(
        DeviceUnavailable,
        message,
        rule,
        case,
        {"lifecycle": now.value},
        hint="Check it in first; what is lost or in repair is not handed on.",
    )


def condition(case: Case) -> Judgement:
    """``custody.condition``: devices go out in the conditions that the policy names."""
    rule, now = "custody.condition", case.device.condition
    allowed = tuple(x.value for x in case.policy.conditions)
    found: dict[str, ContextValue] = {"condition": now.value, "allowed": allowed}
    if now in case.policy.conditions:
        return _passed(rule, found)
    message = f"the device's condition is {now.value}"
    return _refused(DeviceUnavailable, message, rule, case, found)


def receiver_there(case: Case) -> Judgement:
    """``custody.receiver-there``: nothing goes to somebody who left, or to a closed place."""
    rule = "custody.receiver-there"
    if case.to is None:
        return _not_asked(rule)
    found: dict[str, ContextValue] = {"receiver": case.to.holder.id, "state": case.to.state}
    if case.to.there:
        return _passed(rule, found)
    if case.to.holder.kind is HolderKind.PLACE:
        hint = "Name a place that is in use."
        return _refused(HolderLeft, "the place is closed", rule, case, found, hint=hint)
    return _refused(HolderLeft, f"the person is {case.to.state}", rule, case, found)


def receiver_holds(case: Case) -> Judgement:
    """``custody.holds``: kinds of hold that the policy names stop a check-out (Destiny [D5])."""
    rule = "custody.holds"
    blocking = tuple(h for h in case.holds if h.kind in case.policy.blocking_holds)
    found: dict[str, ContextValue] = {
        "kinds": tuple(sorted({h.kind for h in blocking})),
        "holds": tuple(h.id for h in blocking),
        "not_blocking": len(case.holds) - len(blocking),
    }
    if not blocking:
        return _passed(rule, found)
    several = len(blocking) > 1
    message = f"{len(blocking)} hold{'s' if several else ''} block{'' if several else 's'} it"
    return _refused(HolderBlocked, message, rule, case, found)


def max_devices(case: Case) -> Judgement:
    """``custody.max-devices``: a person has at most so many; a place has no limit."""
    rule = "custody.max-devices"
    if case.to is None or case.to.holder.kind is not HolderKind.PERSON:
        return _not_asked(rule)
    found: dict[str, ContextValue] = {"held": case.held, "allowed": case.policy.max_devices}
    if case.held < case.policy.max_devices:
        return _passed(rule, found)
    message = f"they have {case.held} of {case.policy.max_devices} devices"
    return _refused(LoanLimitReached, message, rule, case, found)


def due_date(case: Case) -> Judgement:
    """``custody.due-date``: a loan has a due date, and none lies before the day it begins."""
    rule = "custody.due-date"
    kind, due = terms(case)
    if due is None:
        if kind is CustodyKind.LOAN:
            hint = "Say when it is to come back: due=date(2027, 6, 4)."
            return _refused(DateRefused, "a loan needs a due date", rule, case, hint=hint)
        return _not_asked(rule)
    found: dict[str, ContextValue] = {"due_on": due.isoformat(), "from": case.today.isoformat()}
    if due >= case.today:
        return _passed(rule, found)
    hint = f"The first day allowed is {case.today.isoformat()}."
    return _refused(DateRefused, "due before it begins", rule, case, found, hint=hint)


def loan_days(case: Case) -> Judgement:
    """``custody.loan-days``: a loan is at most so long, in calendar days."""
    rule = "custody.loan-days"
    kind, due = terms(case)
    if kind is not CustodyKind.LOAN or due is None:
        return _not_asked(rule)
    days = (due - case.today).days
    found: dict[str, ContextValue] = {"days": days, "allowed": case.policy.max_loan_days}
    if days <= case.policy.max_loan_days:
        return _passed(rule, found)
    last = case.today + timedelta(days=case.policy.max_loan_days)
    hint = f"The last day allowed is {last.isoformat()}."
    return _refused(DateRefused, f"a loan of {days} days", rule, case, found, hint=hint)


def effective_date(case: Case) -> Judgement:
    """``custody.effective-date``: not in the future, not before the custody event before it."""
    rule = "custody.effective-date"
    if case.effective_at is None:
        return _not_asked(rule)
    found: dict[str, ContextValue] = {"effective_at": when(case).isoformat()}
    if case.effective_at > case.at:
        hint = "An act is recorded when it has happened; leave the date out for now."
        return _refused(DateRefused, "it lies in the future", rule, case, found, hint=hint)
    last = _last(case)
    if last is not None and case.effective_at < last:
        found["not_before"] = last.isoformat()
        hint = f"The device's last custody event was at {last.isoformat()}."
        message = "it lies before the device's last custody event"
        return _refused(DateRefused, message, rule, case, found, hint=hint)
    return _passed(rule, found)


CHECK_OUT_RULES: tuple[tuple[str, Check], ...] = (
    ("custody.one-holder", one_holder),
    ("custody.lifecycle", stock),
    ("custody.condition", condition),
    ("custody.receiver-there", receiver_there),
    ("custody.holds", receiver_holds),
    ("custody.max-devices", max_devices),
    ("custody.due-date", due_date),
    ("custody.loan-days", loan_days),
    ("custody.effective-date", effective_date),
)
"""Rules of a check-out, in the order in which they decide. Later work adds to the end."""

CHECK_IN_RULES: tuple[tuple[str, Check], ...] = (
    ("custody.checked-out", checked_out),
    ("custody.expected-party", expected_party),
    ("custody.effective-date", effective_date),
)
"""Rules of a check-in."""

TRANSFER_RULES: tuple[tuple[str, Check], ...] = (
    ("custody.checked-out", checked_out),
    ("custody.expected-party", expected_party),
    ("custody.other-party", other_party),
    ("custody.lifecycle", deployed),
    ("custody.receiver-there", receiver_there),
    ("custody.holds", receiver_holds),
    ("custody.max-devices", max_devices),
    ("custody.due-date", due_date),
    ("custody.loan-days", loan_days),
    ("custody.effective-date", effective_date),
)
"""Rules of a transfer."""


def check_shape(case: Case) -> None:
    """Refuse values that no rule could judge: an instant without a zone, an unknown override.

    Raises:
        InvalidValue: one of them.
    """
    for instant in (case.at, case.effective_at):
        if instant is not None and instant.utcoffset() is None:
            hint = "Use datetime.now(UTC) or zoneinfo."
            raise InvalidValue("an instant needs a time zone", hint=hint)
    if isinstance(case.due_on, datetime):
        raise InvalidValue("a due date is a day, not an instant", hint="date(2027, 6, 4)")


# --- building judgements ---------------------------------------------------------------------


def _last(case: Case) -> datetime | None:
    known = (case.current.since if case.current else None, case.last_event_at)
    return max((k.astimezone(UTC) for k in known if k is not None), default=None)


def _held(custody: Custody) -> dict[str, ContextValue]:
    return {
        "custody_id": custody.id,
        "accountable_kind": custody.accountable_kind.value,
        "accountable_id": custody.accountable_id,
    }


def _passed(rule: str, found: Mapping[str, ContextValue] = _NOTHING) -> Judgement:
    return Judgement(Reason(rule, Verdict.PASSED, found))


def _not_asked(rule: str) -> Judgement:
    return Judgement(Reason(rule, Verdict.NOT_ASKED))


def _refused(
    error: type[Refusal],
    message: str,
    rule: str,
    case: Case,
    found: Mapping[str, ContextValue] = _NOTHING,
    *,
    hint: str | None = None,
) -> Judgement:
    refusal = error(message, hint=hint, rule=rule, device_id=case.device.id, **found)
    return Judgement(Reason(rule, Verdict.REFUSED, found), refusal)
