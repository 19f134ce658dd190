"""Custody rules as tables: each case says what is asked, what the rule answers, and whence it comes.

Sources: the device's five axes and its two dates are `facts` of the issue tracker
grokability/snipe-it (#15562 one accountable party, #15679 repair keeps the owner, #17896 silent
re-assignment, #18106 refusals must be named, #9823 and #10026 back-dated acts).
"""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import (
    AlreadyTheirs,
    DateRefused,
    DeviceInOtherHands,
    DeviceUnavailable,
    HolderBlocked,
    HolderLeft,
    InvalidValue,
    LoanLimitReached,
    NotCheckedOut,
    Recovery,
    Refusal,
    WrongHolder,
)
from assetflow.model import (
    Condition,
    Custody,
    CustodyKind,
    CustodyPolicy,
    CustodyState,
    Device,
    FundingState,
    Hold,
    Holder,
    HolderKind,
    Lifecycle,
    Management,
    OpenCustody,
    ShowAssignee,
)
from assetflow.model.events import DeviceCheckedIn, DeviceCheckedOut, DeviceTransferred
from assetflow.model.policy import OVERRIDABLE_RULES
from assetflow.rules import custody
from assetflow.rules.custody import Case, Party
from assetflow.rules.custody_checks import CHECK_IN_RULES, CHECK_OUT_RULES, TRANSFER_RULES
from assetflow.rules.decision import Verdict

AT = datetime(2026, 8, 17, 13, 5, tzinfo=UTC)
TODAY = date(2026, 8, 17)
ANA = Holder(HolderKind.PERSON, "p-ana")
BEN = Holder(HolderKind.PERSON, "p-ben")
CART = Holder(HolderKind.PLACE, "cart-3")


def device(**fields):
    base = {"id": "d-1", "asset_tag": "LHS-1", "lifecycle": Lifecycle.IN_STOCK, "version": 7}
    return Device(**{**base, **fields})


def stay(holder=ANA, **fields):
    base = {
        "id": "c-1",
        "device_id": "d-1",
        "kind": CustodyKind.ASSIGNMENT,
        "accountable_kind": holder.kind,
        "accountable_id": holder.id,
        "holder_kind": holder.kind,
        "holder_id": holder.id,
        "since": AT - timedelta(days=30),
    }
    return Custody(**{**base, **fields})


def hold(kind, number=1):
    return Hold(id=f"h-{number}", person_id="p-ana", kind=kind, since=TODAY)


def case(**fields):
    base = {
        "device": device(),
        "current": None,
        "policy": CustodyPolicy(),
        "at": AT,
        "today": TODAY,
        "to": Party(holder=ANA),
        "custody_id": "c-new",
    }
    return Case(**{**base, **fields})


def out(holder=ANA, **fields):
    """A case whose device is deployed to *holder*."""
    lifecycle = fields.pop("lifecycle", Lifecycle.DEPLOYED)
    now = device(lifecycle=lifecycle, custody=CustodyState.ASSIGNED, condition=Condition.GOOD)
    return case(**{"device": now, "current": stay(holder), **fields})


# --- what an act does ----------------------------------------------------------------------


def test_a_check_out_moves_two_axes_and_leaves_three_alone():
    before = device(
        condition=Condition.FAIR, management=Management.DISABLED, funding=FundingState.RESTRICTED
    )
    decision = custody.check_out(case(device=before))
    (happened,) = decision.happened
    after = happened.writes[0].after
    assert (after.lifecycle, after.custody) == (Lifecycle.DEPLOYED, CustodyState.ASSIGNED)
    assert after == attrs.evolve(
        before, lifecycle=Lifecycle.DEPLOYED, custody=CustodyState.ASSIGNED, version=8
    )
    assert happened.writes[0].before == before
    assert decision.result == happened.writes[1].after == stay(id="c-new", since=AT)
    assert happened.writes[2].after == OpenCustody(
        device_id="d-1", custody_id="c-new", accountable_id="p-ana"
    )
    assert happened.event == DeviceCheckedOut(
        custody_id="c-new",
        kind=CustodyKind.ASSIGNMENT,
        accountable_kind=HolderKind.PERSON,
        accountable_id="p-ana",
        holder_kind=HolderKind.PERSON,
        holder_id="p-ana",
    )
    assert happened.intents == (
        ShowAssignee(device_id="d-1", accountable_kind="person", accountable_id="p-ana"),
    )
    assert (happened.subject_id, happened.removes) == ("d-1", ())


def test_who_answers_and_who_has_it_in_hand_may_differ():
    decision = custody.check_out(case(held_by=CART))
    assert (decision.result.accountable, decision.result.holder) == (ANA, CART)
    assert decision.happened[0].intents[0].accountable_id == "p-ana"
    assert decision.happened[0].writes[2].after.accountable_id == "p-ana"


def test_a_loan_is_shown_as_a_loan():
    due = date(2026, 8, 31)
    decision = custody.check_out(case(kind=CustodyKind.LOAN, due_on=due))
    assert (decision.result.kind, decision.result.due_on) == (CustodyKind.LOAN, due)
    assert decision.happened[0].writes[0].after.custody is CustodyState.LOANED
    assert decision.happened[0].event.due_on == due


def test_an_assignment_may_have_a_due_date_and_needs_none():
    assert custody.check_out(case()).result.due_on is None
    june = date(2027, 6, 4)
    assert custody.check_out(case(due_on=june)).result.due_on == june


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Lifecycle.DEPLOYED, Lifecycle.IN_STOCK),
        (Lifecycle.LOST, Lifecycle.IN_STOCK),  # found
        (Lifecycle.STOLEN, Lifecycle.IN_STOCK),
        (Lifecycle.IN_REPAIR, Lifecycle.IN_REPAIR),  # the bench keeps it
        (Lifecycle.RECEIVED, Lifecycle.IN_STOCK),
        (Lifecycle.IN_STOCK, Lifecycle.IN_STOCK),  # a custody that should not have been
        (Lifecycle.ORDERED, Lifecycle.IN_STOCK),
        (Lifecycle.RETIRED, Lifecycle.RETIRED),
        (Lifecycle.SANITIZED, Lifecycle.SANITIZED),
        (Lifecycle.DISPOSED, Lifecycle.DISPOSED),
    ],
)
def test_where_a_device_stands_after_a_check_in(before, after):
    decision = custody.check_in(out(lifecycle=before, to=None))
    now = decision.happened[0].writes[0].after
    assert (now.lifecycle, now.custody) == (after, CustodyState.NONE)
    assert decision.happened[0].event.lifecycle is after


def test_the_table_of_check_ins_knows_every_lifecycle():
    assert set(custody._AFTER_CHECK_IN) == set(Lifecycle)


def test_a_check_in_ends_the_custody_and_tells_the_vendor_nobody():
    decision = custody.check_in(out(to=None))
    (happened,) = decision.happened
    assert decision.result == stay(ended_at=AT, ended_by="check-in", version=2)
    assert happened.writes[1].before == stay()
    assert happened.removes == (
        OpenCustody(device_id="d-1", custody_id="c-1", accountable_id="p-ana"),
    )
    assert happened.event == DeviceCheckedIn(
        custody_id="c-1", lifecycle=Lifecycle.IN_STOCK, condition=Condition.GOOD
    )
    assert happened.intents == (
        ShowAssignee(device_id="d-1", accountable_kind=None, accountable_id=None),
    )


@pytest.mark.parametrize("seen", [None, *Condition])
def test_a_condition_is_taken_when_somebody_looked_and_kept_otherwise(seen):
    decision = custody.check_in(out(to=None, condition=seen))
    after = decision.happened[0].writes[0].after
    assert after.condition is (seen or Condition.GOOD)
    assert after.lifecycle is Lifecycle.IN_STOCK, "a broken device is in stock, and stays there"


def test_what_came_back_broken_does_not_go_out_again():
    back = custody.check_in(out(to=None, condition=Condition.BROKEN)).happened[0].writes[0].after
    with pytest.raises(DeviceUnavailable) as caught:
        custody.check_out(case(device=back))
    assert caught.value.rule == "custody.condition"


def test_a_transfer_ends_one_custody_and_begins_another():
    decision = custody.transfer(out(to=Party(holder=BEN)))
    (happened,) = decision.happened
    old, new = happened.writes[1].after, happened.writes[2].after
    assert old == stay(ended_at=AT, ended_by="transfer", version=2)
    assert new == stay(BEN, id="c-new", since=AT) == decision.result
    assert happened.writes[3].before.accountable_id == "p-ana"
    assert happened.writes[3].after == OpenCustody(
        device_id="d-1", custody_id="c-new", accountable_id="p-ben"
    )
    assert happened.removes == ()
    assert happened.event == DeviceTransferred(
        ended_custody_id="c-1",
        custody_id="c-new",
        accountable_kind=HolderKind.PERSON,
        accountable_id="p-ben",
    )
    assert happened.intents[0].accountable_id == "p-ben"


def test_a_transfer_keeps_the_terms_unless_told_otherwise():
    due = date(2026, 9, 1)
    lent = {"current": stay(kind=CustodyKind.LOAN, due_on=due), "to": Party(holder=BEN)}
    kept = custody.transfer(out(**lent)).result
    assert (kept.kind, kept.due_on) == (CustodyKind.LOAN, due)
    assigned = custody.transfer(out(**lent, kind=CustodyKind.ASSIGNMENT)).result
    assert (assigned.kind, assigned.due_on) == (CustodyKind.ASSIGNMENT, None)
    later = custody.transfer(out(**lent, due_on=date(2026, 9, 9))).result
    assert (later.kind, later.due_on) == (CustodyKind.LOAN, date(2026, 9, 9))


def test_a_device_that_is_out_with_nobody_named_can_be_named():
    decision = custody.check_out(case(device=device(lifecycle=Lifecycle.DEPLOYED)))
    assert decision.result.accountable == ANA
    reason = next(r for r in decision.because if r.rule == "custody.lifecycle")
    assert reason.detail["unnamed_holder"] is True


# --- refusals ------------------------------------------------------------------------------

LENT = {"kind": CustodyKind.LOAN}
CHECK_OUTS = [
    ("somebody else has it (#17896)", out(BEN), DeviceInOtherHands, "custody.one-holder"),
    ("they have it already", out(), AlreadyTheirs, "custody.one-holder"),
    *(
        (
            f"it is {x.value}",
            case(device=device(lifecycle=x)),
            DeviceUnavailable,
            "custody.lifecycle",
        )
        for x in Lifecycle
        if x not in {Lifecycle.IN_STOCK, Lifecycle.DEPLOYED}
    ),
    (
        "no policy lets a disposed device out",
        case(
            device=device(lifecycle=Lifecycle.DISPOSED),
            policy=CustodyPolicy(check_out_from=(Lifecycle.DISPOSED,)),
        ),
        DeviceUnavailable,
        "custody.lifecycle",
    ),
    *(
        (
            f"its condition is {x.value}",
            case(device=device(condition=x)),
            DeviceUnavailable,
            "custody.condition",
        )
        for x in (Condition.POOR, Condition.BROKEN)
    ),
    (
        "the person left",
        case(to=Party(holder=ANA, state="left")),
        HolderLeft,
        "custody.receiver-there",
    ),
    (
        "the person is erased",
        case(to=Party(holder=ANA, state="erased")),
        HolderLeft,
        "custody.receiver-there",
    ),
    (
        "the place is closed",
        case(to=Party(holder=CART, state="closed")),
        HolderLeft,
        "custody.receiver-there",
    ),
    ("a hold blocks", case(holds=(hold("manual"),)), HolderBlocked, "custody.holds"),
    ("as many as the policy allows", case(held=2), LoanLimitReached, "custody.max-devices"),
    ("more than the policy allows", case(held=9), LoanLimitReached, "custody.max-devices"),
    ("a loan without an end", case(**LENT), DateRefused, "custody.due-date"),
    (
        "due yesterday",
        case(**LENT, due_on=TODAY - timedelta(days=1)),
        DateRefused,
        "custody.due-date",
    ),
    (
        "an assignment due yesterday",
        case(due_on=date(2026, 8, 16)),
        DateRefused,
        "custody.due-date",
    ),
    (
        "a loan a day too long",
        case(**LENT, due_on=TODAY + timedelta(days=366)),
        DateRefused,
        "custody.loan-days",
    ),
    (
        "in the future",
        case(effective_at=AT + timedelta(seconds=1)),
        DateRefused,
        "custody.effective-date",
    ),
    (
        "before the last event",
        case(effective_at=AT - timedelta(days=3), last_event_at=AT - timedelta(days=2)),
        DateRefused,
        "custody.effective-date",
    ),
]
CHECK_INS = [
    ("nobody has it", case(to=None), NotCheckedOut, "custody.checked-out"),
    (
        "another student hands it in",
        out(ANA, to=None, expected_from=BEN),
        WrongHolder,
        "custody.expected-party",
    ),
    (
        "before it went out",
        out(to=None, effective_at=AT - timedelta(days=31)),
        DateRefused,
        "custody.effective-date",
    ),
    (
        "tomorrow",
        out(to=None, effective_at=AT + timedelta(days=1)),
        DateRefused,
        "custody.effective-date",
    ),
]
TRANSFERS = [
    ("nobody has it", case(), NotCheckedOut, "custody.checked-out"),
    (
        "not from them",
        out(to=Party(holder=BEN), expected_from=CART),
        WrongHolder,
        "custody.expected-party",
    ),
    ("to who has it", out(), AlreadyTheirs, "custody.other-party"),
    *(
        (
            f"it is {x.value}",
            out(to=Party(holder=BEN), lifecycle=x),
            DeviceUnavailable,
            "custody.lifecycle",
        )
        for x in Lifecycle
        if x is not Lifecycle.DEPLOYED
    ),
    ("to who left", out(to=Party(holder=BEN, state="left")), HolderLeft, "custody.receiver-there"),
    (
        "a hold",
        out(to=Party(holder=BEN), holds=(hold("agreement"),)),
        HolderBlocked,
        "custody.holds",
    ),
    ("a third device", out(to=Party(holder=BEN), held=2), LoanLimitReached, "custody.max-devices"),
    (
        "a loan without an end",
        out(to=Party(holder=BEN), kind=CustodyKind.LOAN),
        DateRefused,
        "custody.due-date",
    ),
    (
        "a loan a day too long",
        out(to=Party(holder=BEN), **LENT, due_on=TODAY + timedelta(days=366)),
        DateRefused,
        "custody.loan-days",
    ),
    (
        "what was agreed is over",
        out(
            to=Party(holder=BEN),
            current=stay(kind=CustodyKind.LOAN, due_on=TODAY - timedelta(days=1)),
        ),
        DateRefused,
        "custody.due-date",
    ),
    (
        "before it went out",
        out(to=Party(holder=BEN), effective_at=AT - timedelta(days=31)),
        DateRefused,
        "custody.effective-date",
    ),
]
REFUSED = [
    *((custody.check_out, *row) for row in CHECK_OUTS),
    *((custody.check_in, *row) for row in CHECK_INS),
    *((custody.transfer, *row) for row in TRANSFERS),
]


@pytest.mark.parametrize(
    ("verb", "why", "asked", "error", "rule"),
    REFUSED,
    ids=[f"{verb.__name__}-{why}" for verb, why, *_ in REFUSED],
)
def test_a_refusal_is_typed_and_names_its_rule(verb, why, asked, error, rule):
    with pytest.raises(error) as caught:
        verb(asked)
    refusal = caught.value
    assert type(refusal) is error
    assert refusal.rule == rule
    assert refusal.context["device_id"] == "d-1"
    assert refusal.recovery is (Recovery.SKIP if error is AlreadyTheirs else Recovery.FIX_INPUT)
    explain = getattr(custody, f"explain_{verb.__name__}")
    explained = explain(asked)
    assert not explained.allowed
    assert explained.decided_by == (rule,)
    rules = {"check_out": CHECK_OUT_RULES, "check_in": CHECK_IN_RULES, "transfer": TRANSFER_RULES}
    assert [r.rule for r in explained.because] == [code for code, _ in rules[verb.__name__]]


def test_every_rule_has_a_case_that_refuses():
    asked = {(verb.__name__, rule) for verb, _, _, _, rule in REFUSED}
    known = {
        *(("check_out", code) for code, _ in CHECK_OUT_RULES),
        *(("check_in", code) for code, _ in CHECK_IN_RULES),
        *(("transfer", code) for code, _ in TRANSFER_RULES),
    }
    assert known == asked


ALLOWED = [
    (
        "received, where the policy says so",
        case(
            device=device(lifecycle=Lifecycle.RECEIVED),
            policy=CustodyPolicy(check_out_from=(Lifecycle.RECEIVED,)),
        ),
    ),
    ("a hold that the policy does not block on", case(holds=(hold("balance"), hold("overdue", 2)))),
    ("a student who is expected", case(to=Party(holder=ANA, state="expected"))),
    ("a person of whom no source says", case(to=Party(holder=ANA, state="unknown"))),
    ("a place has no limit", case(to=Party(holder=CART, state="open"), held=500)),
    ("due today", case(**LENT, due_on=TODAY)),
    ("the longest loan", case(**LENT, due_on=TODAY + timedelta(days=365))),
    ("an assignment beyond the longest loan", case(due_on=TODAY + timedelta(days=1400))),
    ("effective now", case(effective_at=AT)),
    (
        "effective at the last event",
        case(effective_at=AT - timedelta(1), last_event_at=AT - timedelta(1)),
    ),
    ("disabled at the vendor: another axis", case(device=device(management=Management.DISABLED))),
]


@pytest.mark.parametrize(("why", "asked"), ALLOWED, ids=[why for why, _ in ALLOWED])
def test_what_is_allowed(why, asked):
    explained = custody.explain_check_out(asked)
    assert explained.allowed, explained.text()
    assert explained.unwrap().result.id == "c-new"
    assert explained.decided_by == ()


def test_a_return_by_who_has_it_in_hand_is_expected_too():
    asked = out(to=None, current=stay(holder_kind=CART.kind, holder_id=CART.id))
    for who in (ANA, CART):
        assert custody.check_in(attrs.evolve(asked, expected_from=who)).result.ended_at == AT


def test_the_hint_names_the_date_that_is_allowed():
    with pytest.raises(DateRefused, match="400 days") as caught:
        custody.check_out(case(**LENT, due_on=TODAY + timedelta(days=400)))
    assert "2027-08-17" in caught.value.hint


def test_a_blocked_holder_is_told_by_kinds_and_ids_of_holds():
    asked = case(holds=(hold("manual", 1), hold("balance", 2), hold("agreement", 3)))
    with pytest.raises(HolderBlocked) as caught:
        custody.check_out(asked)
    assert caught.value.context["kinds"] == ("agreement", "manual")
    assert caught.value.context["holds"] == ("h-1", "h-3")
    assert caught.value.context["not_blocking"] == 1


# --- dates ---------------------------------------------------------------------------------


def test_two_dates_when_it_happened_and_when_it_was_written():
    then = AT - timedelta(days=2)
    assert custody.check_out(case(effective_at=then)).result.since == then
    assert custody.check_in(out(to=None, effective_at=then)).result.ended_at == then


def test_an_instant_of_another_zone_is_kept_in_utc():
    chicago = timezone(timedelta(hours=-5))
    since = custody.check_out(case(effective_at=AT.astimezone(chicago))).result.since
    assert since == AT
    assert since.utcoffset() == timedelta(0)


def test_a_clock_that_is_behind_ends_no_custody_before_it_began():
    asked = out(to=None, current=stay(since=AT + timedelta(seconds=40)))
    assert custody.check_in(asked).result.ended_at == AT + timedelta(seconds=40, microseconds=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"at": AT.replace(tzinfo=None)},
        {"effective_at": AT.replace(tzinfo=None)},
        {"due_on": AT},
        {"to": None},
        {"custody_id": None},
        {"override": ("custody.holds",)},
        {"override": ("custody.one-holder",), "reason": "x"},
        {"override": ("holds",), "reason": "x"},
    ],
    ids=itertools.count(),
)
def test_values_that_no_rule_can_judge_are_invalid(fields):
    with pytest.raises(InvalidValue):
        custody.check_out(case(**fields))


# --- overrides -----------------------------------------------------------------------------

OVERRIDES = [
    ("custody.condition", case(device=device(condition=Condition.BROKEN))),
    ("custody.holds", case(holds=(hold("manual"),))),
    ("custody.max-devices", case(held=2)),
    ("custody.loan-days", case(**LENT, due_on=TODAY + timedelta(days=500))),
]


def test_every_rule_that_can_be_overridden_has_a_case():
    assert {rule for rule, _ in OVERRIDES} == set(OVERRIDABLE_RULES)


@pytest.mark.parametrize(("rule", "asked"), OVERRIDES, ids=[rule for rule, _ in OVERRIDES])
def test_an_override_needs_the_policy_and_a_reason_and_is_recorded(rule, asked):
    lenient = attrs.evolve(asked.policy, may_override=OVERRIDABLE_RULES)
    strict = attrs.evolve(asked.policy, may_override=())
    said = attrs.evolve(asked, override=(rule,), reason="principal-approved")

    decision = custody.check_out(attrs.evolve(said, policy=lenient))
    assert decision.overridden == decision.happened[0].event.overridden == (rule,)
    assert (
        decision.because[[r.rule for r in decision.because].index(rule)].verdict
        is Verdict.OVERRIDDEN
    )

    with pytest.raises(Refusal) as caught:
        custody.check_out(attrs.evolve(said, policy=strict))
    assert caught.value.rule == rule
    assert "does not let" in caught.value.hint
    with pytest.raises(InvalidValue, match="reason"):
        custody.check_out(attrs.evolve(said, policy=lenient, reason=None))
    with pytest.raises(Refusal):
        custody.check_out(attrs.evolve(asked, policy=lenient, reason="principal-approved"))


def test_an_override_that_was_not_needed_is_not_recorded():
    decision = custody.check_out(case(override=("custody.holds",), reason="just-in-case"))
    assert decision.overridden == ()
    assert decision.happened[0].event.overridden == ()


TRANSFER_OVERRIDES = [
    ("custody.holds", out(to=Party(holder=BEN), holds=(hold("manual"),))),
    ("custody.max-devices", out(to=Party(holder=BEN), held=2)),
    ("custody.loan-days", out(to=Party(holder=BEN), **LENT, due_on=TODAY + timedelta(days=500))),
]


@pytest.mark.parametrize(
    ("rule", "asked"), TRANSFER_OVERRIDES, ids=[r for r, _ in TRANSFER_OVERRIDES]
)
def test_a_transfer_is_overridden_as_a_check_out_is(rule, asked):
    lenient = attrs.evolve(asked.policy, may_override=OVERRIDABLE_RULES)
    said = attrs.evolve(asked, policy=lenient, override=(rule,), reason="principal-approved")

    decision = custody.transfer(said)
    assert decision.overridden == decision.happened[0].event.overridden == (rule,)
    with pytest.raises(Refusal) as caught:
        custody.transfer(attrs.evolve(said, override=()))
    assert caught.value.rule == rule
    with pytest.raises(InvalidValue, match="reason"):
        custody.transfer(attrs.evolve(said, reason=None))
    with pytest.raises(Refusal):
        custody.transfer(attrs.evolve(said, policy=attrs.evolve(lenient, may_override=())))


def test_a_check_in_knows_no_overrides():
    with pytest.raises(InvalidValue, match="override"):
        custody.check_in(out(to=None, override=("custody.holds",), reason="x"))


# --- explanations --------------------------------------------------------------------------

GOLDEN_REFUSED = """\
check-out: refused
  passed      custody.one-holder
  passed      custody.lifecycle  (lifecycle: in_stock; allowed: in_stock)
  refused     custody.condition  (condition: poor; allowed: new, good, fair, unknown)
  passed      custody.receiver-there  (receiver: p-ana; state: active)
  refused     custody.holds  (kinds: agreement; holds: h-1; not_blocking: 1)
  refused     custody.max-devices  (held: 2; allowed: 2)
  passed      custody.due-date  (due_on: 2026-08-31; from: 2026-08-17)
  passed      custody.loan-days  (days: 14; allowed: 365)
  not-asked   custody.effective-date
decided by custody.condition: the device's condition is poor [device-unavailable]
hint: Look at its lifecycle and condition: `assetflow devices show TAG`."""

GOLDEN_OVERRIDDEN = """\
check-out: allowed
  passed      custody.one-holder
  passed      custody.lifecycle  (lifecycle: in_stock; allowed: in_stock)
  overridden  custody.condition  (condition: poor; allowed: new, good, fair, unknown)
  passed      custody.receiver-there  (receiver: p-ana; state: active)
  overridden  custody.holds  (kinds: agreement; holds: h-1; not_blocking: 1)
  overridden  custody.max-devices  (held: 2; allowed: 2)
  passed      custody.due-date  (due_on: 2026-08-31; from: 2026-08-17)
  passed      custody.loan-days  (days: 14; allowed: 365)
  not-asked   custody.effective-date
overridden: custody.condition, custody.holds, custody.max-devices"""


def test_an_explanation_shows_every_rule_and_the_one_that_decided():
    asked = case(
        device=device(condition=Condition.POOR),
        holds=(hold("agreement"), hold("balance", 2)),
        held=2,
        kind=CustodyKind.LOAN,
        due_on=date(2026, 8, 31),
    )
    explained = custody.explain_check_out(asked)
    assert str(explained) == GOLDEN_REFUSED
    data = explained.as_dict()
    assert (data["allowed"], data["decided_by"]) == (False, ["custody.condition"])
    assert data["error"]["code"] == "device-unavailable"
    assert data["because"][4] == {
        "rule": "custody.holds",
        "verdict": "refused",
        "detail": {"kinds": ("agreement",), "holds": ("h-1",), "not_blocking": 1},
    }
    forced = attrs.evolve(
        asked,
        override=("custody.condition", "custody.holds", "custody.max-devices"),
        reason="principal-approved",
    )
    assert str(custody.explain_check_out(forced)) == GOLDEN_OVERRIDDEN


def test_an_explanation_and_a_refusal_can_be_sent_to_another_process():
    explained = custody.explain_check_out(case(held=9))
    again = pickle.loads(pickle.dumps(explained))
    assert (again.text(), again.refusal.rule) == (explained.text(), "custody.max-devices")
    done = custody.check_out(case())
    assert pickle.loads(pickle.dumps(done)) == done


def test_an_explained_check_in_and_transfer():
    assert custody.explain_check_in(out(to=None)).text().splitlines() == [
        "check-in: allowed",
        "  passed      custody.checked-out  (custody_id: c-1; accountable_kind: person; accountable_id: p-ana)",
        "  not-asked   custody.expected-party",
        "  not-asked   custody.effective-date",
    ]
    refused = custody.explain_transfer(case())
    assert refused.decided_by == ("custody.checked-out",)
    assert refused.text().endswith("hint: Nothing to do, if the device is where it should be.")


# --- properties ----------------------------------------------------------------------------

holders = st.sampled_from([ANA, BEN, CART])
cases = st.builds(
    Case,
    device=st.builds(
        device,
        lifecycle=st.sampled_from(Lifecycle),
        condition=st.sampled_from(Condition),
        management=st.sampled_from(Management),
    ),
    current=st.none() | st.builds(stay, holders),
    policy=st.builds(
        CustodyPolicy,
        max_devices=st.integers(1, 3),
        may_override=st.lists(st.sampled_from(OVERRIDABLE_RULES), unique=True).map(tuple),
        blocking_holds=st.lists(st.sampled_from(["manual", "balance"]), unique=True).map(tuple),
    ),
    at=st.just(AT),
    today=st.just(TODAY),
    effective_at=st.none() | st.integers(-90, 1).map(lambda n: AT + timedelta(days=n)),
    last_event_at=st.none() | st.integers(-60, 0).map(lambda n: AT + timedelta(days=n)),
    to=st.builds(Party, holder=holders, state=st.sampled_from(["active", "left", "expected"])),
    holds=st.lists(st.builds(hold, st.sampled_from(["manual", "balance"])), max_size=2).map(tuple),
    held=st.integers(0, 4),
    kind=st.none() | st.sampled_from(CustodyKind),
    due_on=st.none() | st.integers(-3, 500).map(lambda n: TODAY + timedelta(days=n)),
    condition=st.none() | st.sampled_from(Condition),
    expected_from=st.none() | holders,
    override=st.lists(st.sampled_from(OVERRIDABLE_RULES), unique=True).map(tuple),
    reason=st.just("because"),
    custody_id=st.just("c-new"),
)


@given(cases, st.sampled_from(["check_out", "check_in", "transfer"]))
def test_a_verb_does_what_its_explanation_says(asked, verb):
    if verb == "check_in":
        asked = attrs.evolve(asked, override=())
    explained = getattr(custody, f"explain_{verb}")(asked)
    stands = [r for r in explained.because if r.verdict is Verdict.REFUSED]
    assert explained.allowed == (not stands)
    if explained.refusal is not None:
        with pytest.raises(type(explained.refusal)) as caught:
            getattr(custody, verb)(asked)
        assert caught.value.rule == stands[0].rule
        return
    decision = getattr(custody, verb)(asked)
    assert decision == explained.decision
    (happened,) = decision.happened
    after = happened.writes[0].after
    assert after.version == asked.device.version + 1
    opened = [w.after for w in happened.writes if isinstance(w.after, OpenCustody)]
    assert (after.lifecycle is Lifecycle.DEPLOYED) <= (len(opened) == 1), "exactly one party"
    assert (after.custody is CustodyState.NONE) == (not opened)
    assert (after.management, after.funding) == (asked.device.management, asked.device.funding)
    for write in happened.writes:
        if isinstance(write.after, Custody) and write.after.ended_at:
            assert write.after.ended_at >= write.after.since
    assert (verb == "check_out") == (asked.current is None)
    if verb != "check_in":
        assert set(decision.overridden) <= set(asked.override) & set(asked.policy.may_override)
        assert happened.event.overridden == decision.overridden
