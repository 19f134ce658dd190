"""Check out, check in, transfer: who may be handed what, and what follows.

Five axes of a device move independently: lifecycle, custody, condition, management, funding. A
check-out moves the first two, a check-in also the third when somebody looked; none touches the
vendor's word or the money. Who *answers* for a device and who *has it in hand* are two things.

Decided here, because no source settles it:

* A device that comes back broken goes to ``in_stock`` with the condition ``broken``. The axes
  are independent; ``custody.condition`` keeps it from going out, not a second meaning of
  ``received``.
* A lost or stolen device that is checked in is found: ``in_stock``. One in repair stays in
  repair: its custody ends, the bench keeps it. One that is retired or gone stays so.
* A device that is ``deployed`` while nobody is named (an imported list said so) may be checked
  out: that names who has it.
* Repair and loss never end a custody by themselves (grokability/snipe-it #15679).
* A transfer does not ask for the condition: nothing leaves the stock. Its override is that of a
  check-out: of rules that the policy lets one override, with a reason, and in the journal.
* A date was recorded wrongly: nothing is edited; the act is undone and done again, each with
  its ``effective_at`` (snipe-it #9823, #10026).
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from assetflow.errors import InvalidValue, Refusal
from assetflow.model.custody import Custody, Holder, OpenCustody
from assetflow.model.devices import Device, Lifecycle
from assetflow.model.events import DeviceCheckedIn, DeviceCheckedOut, DeviceTransferred
from assetflow.model.ids import CustodyId
from assetflow.model.intents import ShowAssignee
from assetflow.model.policy import OVERRIDABLE_RULES
from assetflow.rules.custody_checks import (
    CHECK_IN_RULES,
    CHECK_OUT_RULES,
    TRANSFER_RULES,
    Case,
    Check,
    Party,
    check_shape,
    terms,
    when,
)
from assetflow.rules.decision import (
    Decision,
    Explanation,
    Happened,
    Judgement,
    Reason,
    Verdict,
    Write,
    first_refusal,
    overridden,
)
from assetflow.rules.derived import custody_state

__all__ = [
    "Case",
    "Party",
    "check_in",
    "check_out",
    "explain_check_in",
    "explain_check_out",
    "explain_transfer",
    "transfer",
]

_AFTER_CHECK_IN = {
    Lifecycle.ORDERED: Lifecycle.IN_STOCK,
    Lifecycle.RECEIVED: Lifecycle.IN_STOCK,
    Lifecycle.IN_STOCK: Lifecycle.IN_STOCK,
    Lifecycle.DEPLOYED: Lifecycle.IN_STOCK,
    Lifecycle.LOST: Lifecycle.IN_STOCK,
    Lifecycle.STOLEN: Lifecycle.IN_STOCK,
    Lifecycle.IN_REPAIR: Lifecycle.IN_REPAIR,
    Lifecycle.RETIRED: Lifecycle.RETIRED,
    Lifecycle.SANITIZED: Lifecycle.SANITIZED,
    Lifecycle.DISPOSED: Lifecycle.DISPOSED,
}


def check_out(case: Case) -> Decision[Custody]:
    """Hand a device to a party.

    Raises:
        DeviceInOtherHands: somebody else has it.
        AlreadyTheirs: the same party has it already.
        DeviceUnavailable: its lifecycle or condition does not allow it.
        HolderLeft: the person left, or the place is closed.
        HolderBlocked: a hold that the policy blocks on.
        LoanLimitReached: they have as many devices as the policy allows.
        DateRefused: a due date or an effective date outside what is allowed.
        InvalidValue: no receiver, an override of a rule that cannot be overridden or without
            a reason, an instant without a time zone.
    """
    return explain_check_out(case).unwrap()


def check_in(case: Case) -> Decision[Custody]:
    """Take a device back; the decision's result is the custody that ended.

    Raises:
        NotCheckedOut: nobody has it.
        WrongHolder: somebody else has it than was expected.
        DateRefused: an effective date outside what is allowed.
        InvalidValue: an override, or an instant without a time zone.
    """
    return explain_check_in(case).unwrap()


def transfer(case: Case) -> Decision[Custody]:
    """Hand a device on without its coming back between.

    Raises:
        NotCheckedOut: nobody has it.
        WrongHolder: somebody else has it than was expected.
        AlreadyTheirs: the receiver has it already.
        DeviceUnavailable: it is lost, in repair, or else not deployed.
        HolderLeft: the person left, or the place is closed.
        HolderBlocked: a hold that the policy blocks on.
        LoanLimitReached: they have as many devices as the policy allows.
        DateRefused: a due date or an effective date outside what is allowed.
        InvalidValue: no receiver, an override of a rule that cannot be overridden or without
            a reason, an instant without a time zone.
    """
    return explain_transfer(case).unwrap()


def explain_check_out(case: Case) -> Explanation[Custody]:
    """Every rule of a check-out, what it found, and what would be done."""
    to = _receiver(case)
    because, refusal = _judge(case, CHECK_OUT_RULES)
    if refusal is not None:
        return Explanation(act="check-out", because=because, refusal=refusal)
    custody = _begin(case, to)
    after = _device(case.device, Lifecycle.DEPLOYED, custody)
    event = DeviceCheckedOut(
        custody_id=custody.id,
        kind=custody.kind,
        accountable_kind=custody.accountable_kind,
        accountable_id=custody.accountable_id,
        holder_kind=custody.holder_kind,
        holder_id=custody.holder_id,
        due_on=custody.due_on,
        overridden=overridden(because),
    )
    happened = Happened(
        event=event,
        subject_id=case.device.id,
        writes=(Write(after, case.device), Write(custody), Write(_open(custody))),
        intents=(_show(case.device, to.holder),),
    )
    decision = Decision(result=custody, happened=(happened,), because=because)
    return Explanation(act="check-out", because=because, decision=decision)


def explain_check_in(case: Case) -> Explanation[Custody]:
    """Every rule of a check-in, what it found, and what would be done."""
    _no_override(case)
    because, refusal = _judge(case, CHECK_IN_RULES)
    current = case.current
    if refusal is not None or current is None:
        return Explanation(act="check-in", because=because, refusal=refusal)
    ended = _end(case, current, "check-in")
    lifecycle = _AFTER_CHECK_IN[case.device.lifecycle]
    after = evolve(
        _device(case.device, lifecycle, None), condition=case.condition or case.device.condition
    )
    event = DeviceCheckedIn(
        custody_id=current.id, lifecycle=after.lifecycle, condition=after.condition
    )
    happened = Happened(
        event=event,
        subject_id=case.device.id,
        writes=(Write(after, case.device), Write(ended, current)),
        removes=(_open(current),),
        intents=(_show(case.device, None),),
    )
    decision = Decision(result=ended, happened=(happened,), because=because)
    return Explanation(act="check-in", because=because, decision=decision)


def explain_transfer(case: Case) -> Explanation[Custody]:
    """Every rule of a transfer, what it found, and what would be done."""
    to = _receiver(case)
    because, refusal = _judge(case, TRANSFER_RULES)
    current = case.current
    if refusal is not None or current is None:
        return Explanation(act="transfer", because=because, refusal=refusal)
    ended = _end(case, current, "transfer")
    custody = _begin(case, to)
    after = _device(case.device, Lifecycle.DEPLOYED, custody)
    event = DeviceTransferred(
        ended_custody_id=current.id,
        custody_id=custody.id,
        accountable_kind=custody.accountable_kind,
        accountable_id=custody.accountable_id,
        overridden=overridden(because),
    )
    happened = Happened(
        event=event,
        subject_id=case.device.id,
        writes=(
            Write(after, case.device),
            Write(ended, current),
            Write(custody),
            Write(_open(custody), _open(current)),
        ),
        intents=(_show(case.device, to.holder),),
    )
    decision = Decision(result=custody, happened=(happened,), because=because)
    return Explanation(act="transfer", because=because, decision=decision)


def _judge(
    case: Case, rules: Sequence[tuple[str, Check]]
) -> tuple[tuple[Reason, ...], Refusal | None]:
    check_shape(case)
    _overridable(case)
    if case.override and not case.reason:
        hint = 'Say why: reason="principal-approved".'
        raise InvalidValue("an override needs a reason", hint=hint)
    judgements = [_weigh(case, rule(case)) for _, rule in rules]
    return tuple(j.reason for j in judgements), first_refusal(judgements)


def _weigh(case: Case, found: Judgement) -> Judgement:
    rule, refusal = found.reason.rule, found.refusal
    if refusal is None or rule not in case.override:
        return found
    if rule in case.policy.may_override:
        return Judgement(evolve(found.reason, verdict=Verdict.OVERRIDDEN))
    refusal.hint = f"The district's policy does not let {rule} be overridden."
    return found


def _overridable(case: Case) -> None:
    for rule in case.override:
        if rule not in OVERRIDABLE_RULES:
            allowed = ", ".join(OVERRIDABLE_RULES)
            raise InvalidValue(
                "an override names a rule that cannot be overridden",
                hint=f"Rules that can be, where the policy allows it: {allowed}.",
            )


def _no_override(case: Case) -> None:
    if case.override:
        hint = "What comes back is taken back; no rule that can be overridden stands against it."
        raise InvalidValue("a check-in knows no overrides", hint=hint)


def _receiver(case: Case) -> Party:
    if case.to is None:
        raise InvalidValue("somebody must answer for the device", hint="Say to whom: to=...")
    return case.to


def _begin(case: Case, to: Party) -> Custody:
    if case.custody_id is None:
        raise InvalidValue("the new custody has no id")
    holder = case.held_by or to.holder
    kind, due = terms(case)
    return Custody(
        id=CustodyId(case.custody_id),
        device_id=case.device.id,
        kind=kind,
        accountable_kind=to.holder.kind,
        accountable_id=to.holder.id,
        holder_kind=holder.kind,
        holder_id=holder.id,
        since=when(case),
        due_on=due,
    )


def _end(case: Case, custody: Custody, how: str) -> Custody:
    return evolve(custody, ended_at=when(case), ended_by=how, version=custody.version + 1)


def _open(custody: Custody) -> OpenCustody:
    return OpenCustody(
        device_id=custody.device_id,
        custody_id=custody.id,
        accountable_id=custody.accountable_id,
    )


def _device(device: Device, lifecycle: Lifecycle, custody: Custody | None) -> Device:
    return evolve(
        device,
        lifecycle=lifecycle,
        custody=custody_state(custody),
        version=device.version + 1,
    )


def _show(device: Device, holder: Holder | None) -> ShowAssignee:
    return ShowAssignee(
        device_id=device.id,
        accountable_kind=holder.kind.value if holder else None,
        accountable_id=holder.id if holder else None,
    )
