"""What paid for a device: dated shares that make a whole on every day, and are never edited.

Funding is history, not a label: a share ends on the day on which others take its place, and
stays. On any day from the first share on, the shares in force add up to 100 % (10,000 basis
points), as a property record states the federal share of the cost (2 CFR 200.313(d)(1)).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from attrs import Attribute, evolve, field, frozen

from assetflow.errors import ContextValue, DateRefused, FundingInvalid, InvalidValue
from assetflow.model.devices import Device
from assetflow.model.events import FundingRecorded
from assetflow.model.funds import WHOLE, FundingShare, Programme
from assetflow.rules.decision import Decision, Happened, Reason, Verdict, Write
from assetflow.rules.derived import funding_state

__all__ = ["NewShare", "check_shares", "record_funding", "shares_on"]


def _text(_: object, attribute: Attribute[str], value: object) -> None:
    optional = attribute.name != "fund"
    if not (isinstance(value, str) or (optional and value is None)):
        raise InvalidValue(f"a share's {attribute.name} is text, not a {type(value).__name__}")


def _whole(_: object, __: object, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        hint = "10,000 basis points are all of it: a third is 3333 or 3334."
        raise InvalidValue("a share is a whole number of basis points", hint=hint)


def _programme(_: object, __: object, value: object) -> None:
    if not isinstance(value, Programme):
        words = ", ".join(f"Programme.{p.name}" for p in Programme)
        raise InvalidValue("a share's programme is a Programme", hint=f"One of: {words}.")


@frozen(kw_only=True)
class NewShare:
    """A share of what paid for a device, before it has an id and a day.

    Raises:
        InvalidValue: a value of another type: a fund is text, a share a whole number of basis
            points.
    """

    fund: str = field(validator=_text)
    """The fund's code in the district's accounts."""
    basis_points: int = field(default=WHOLE, validator=_whole)
    """The share: 10,000 is all of it."""
    award_number: str | None = field(default=None, validator=_text)
    """The award or FAIN, for a grant."""
    programme: Programme = field(default=Programme.NONE, validator=_programme)
    """Whose rules come with it."""
    title_holder: str | None = field(default=None, validator=_text)
    """Who holds title."""


def shares_on(shares: Iterable[FundingShare], day: date) -> tuple[FundingShare, ...]:
    """The shares in force on a day: from their first day to the day before their end."""
    return tuple(s for s in shares if s.starts_on <= day and (s.ends_on is None or day < s.ends_on))


def check_shares(shares: Sequence[FundingShare]) -> None:
    """Check that the shares of a device make a whole on every day from the first one on.

    Raises:
        FundingInvalid: a share out of bounds, or a day on which they do not add up to 100 %.
    """
    for share in shares:
        if not 0 < share.basis_points <= WHOLE:
            raise FundingInvalid(
                "a share is more than nothing and at most all",
                rule="funding.share",
                device_id=share.device_id,
                basis_points=share.basis_points,
            )
        if share.ends_on is not None and share.ends_on < share.starts_on:
            raise FundingInvalid(
                "a share ends before it begins", rule="funding.dates", device_id=share.device_id
            )
    days = {s.starts_on for s in shares} | {s.ends_on for s in shares if s.ends_on is not None}
    for day in sorted(days):
        total = sum(s.basis_points for s in shares_on(shares, day))
        if total != WHOLE:
            raise FundingInvalid(
                f"the shares in force on {day.isoformat()} add up to {_percent(total)}",
                rule="funding.whole",
                device_id=shares[0].device_id,
                total_basis_points=total,
                day=day.isoformat(),
            )


def record_funding(
    device: Device,
    before: Sequence[FundingShare],
    new: Sequence[NewShare],
    *,
    starts_on: date,
    today: date,
    ids: Sequence[str],
) -> Decision[tuple[FundingShare, ...]]:
    """Let new shares take the place of those in force, from a day on.

    Shares in force end on that day and stay on record. A correction on the day on which shares
    began leaves them with no day in force. A day before the newest shares cannot be chosen: that
    would edit history. Nor one to come: until then the old shares would be shown as ended.

    Args:
        device: The device.
        before: All its shares, ended ones too.
        new: The shares that hold from that day on; together they are the whole.
        starts_on: The day.
        today: Today in the district's time zone.
        ids: An id for each new share.

    Raises:
        FundingInvalid: shares that do not add up to 100 %, or none.
        DateRefused: a day to come, or one before the newest shares.
        InvalidValue: a fund without a code.
    """
    newest = max((s.starts_on for s in before), default=None)
    if starts_on > today:
        raise DateRefused(
            "funding is recorded when it holds, not before",
            hint=f"The last day allowed is {today.isoformat()}.",
            rule="funding.dates",
            device_id=device.id,
        )
    if newest is not None and starts_on < newest:
        raise DateRefused(
            "shares that began later are on record",
            hint=f"The first day allowed is {newest.isoformat()}: history is not edited.",
            rule="funding.history",
            device_id=device.id,
        )
    if any(not share.fund.strip() for share in new):
        raise InvalidValue("a share names its fund by code")
    ended = [s for s in before if s.ends_on is None]
    closed = [evolve(s, ends_on=starts_on, version=s.version + 1) for s in ended]
    opened = [_begin(device, share, starts_on, i) for share, i in zip(new, ids, strict=True)]
    if not opened:
        hint = "Name what pays for it from that day on."
        raise FundingInvalid(
            "no share", hint=hint, rule="funding.whole", device_id=device.id, total_basis_points=0
        )
    past = [s for s in before if s.ends_on is not None]
    check_shares([*past, *closed, *opened])
    state = funding_state(opened)
    writes = [Write(a, b) for a, b in zip(closed, ended, strict=True)]
    writes += [Write(share) for share in opened]
    if state is not device.funding:
        writes.insert(0, Write(evolve(device, funding=state, version=device.version + 1), device))
    happened = Happened(
        event=FundingRecorded(starts_on=starts_on), subject_id=device.id, writes=tuple(writes)
    )
    found: dict[str, ContextValue] = {
        "shares": len(opened),
        "ended": len(ended),
        "from": starts_on.isoformat(),
    }
    because = (Reason("funding.whole", Verdict.PASSED, found),)
    return Decision(result=tuple(opened), happened=(happened,), because=because)


def _begin(device: Device, share: NewShare, starts_on: date, share_id: str) -> FundingShare:
    return FundingShare(
        id=share_id,
        device_id=device.id,
        fund=share.fund.strip(),
        basis_points=share.basis_points,
        starts_on=starts_on,
        award_number=share.award_number,
        programme=share.programme,
        title_holder=share.title_holder,
    )


def _percent(basis_points: int) -> str:
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d} %" if rest else f"{whole} %"
