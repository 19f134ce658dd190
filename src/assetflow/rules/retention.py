"""How long a programme wants to know who had a device, and whether by name."""

from collections.abc import Iterable
from datetime import date

from attrs import frozen

from assetflow.model.custody import Custody
from assetflow.model.devices import Device
from assetflow.model.funds import FundingShare, Programme
from assetflow.model.policy import RetentionPolicy
from assetflow.model.retention import PROGRAMME_RULES

__all__ = ["Demand", "demands", "years_later"]


@frozen(kw_only=True)
class Demand:
    """What one programme demands of one person's custody records."""

    programme: Programme
    """The programme."""
    custody_ids: tuple[str, ...]
    """The records that it is about."""
    keep_until: date | None
    """The last day; ``None`` where the days are not counted here."""
    name: bool
    """Whether the full name must be kept with them."""
    source: str
    """The regulation."""


def years_later(day: date, years: int) -> date:
    """The same day so many years later, or earlier; the last of February for one that a year lacks."""
    year = min(max(day.year + years, date.min.year), date.max.year)
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


def demands(
    custodies: Iterable[tuple[Custody, Device, Iterable[FundingShare]]],
    policy: RetentionPolicy,
    *,
    on: date,
) -> tuple[Demand, ...]:
    """What programmes demand of the records of who had which devices.

    Years are counted from the last day of service or delivery that is known, and from the end of
    the custody when neither is; from today while it lasts.

    Args:
        custodies: Each custody with its device and what paid for it.
        policy: For how many years.
        on: Today.
    """
    found: dict[Programme, list[tuple[str, date]]] = {}
    for custody, device, shares in custodies:
        began = custody.since.date()
        ended = custody.ended_at.date() if custody.ended_at else on
        for programme in {s.programme for s in shares if s.ends_on is None or s.ends_on > began}:
            if programme in PROGRAMME_RULES:
                counted = _counted_from(device) or ended
                found.setdefault(programme, []).append((custody.id, counted))
    return tuple(
        _demand(programme, found[programme], policy)
        for programme in Programme
        if programme in found
    )


def _counted_from(device: Device) -> date | None:
    delivered = (device.acquired_on, device.installed_on)
    service = (line.ends_on for line in device.services)
    return max((day for day in (*delivered, *service) if day is not None), default=None)


def _demand(
    programme: Programme, records: list[tuple[str, date]], policy: RetentionPolicy
) -> Demand:
    rule = PROGRAMME_RULES[programme]
    until = None
    if rule.years_key is not None:
        years: int = getattr(policy, rule.years_key)
        until = years_later(max(day for _, day in records), years)
    return Demand(
        programme=programme,
        custody_ids=tuple(custody_id for custody_id, _ in records),
        keep_until=until,
        name=rule.name,
        source=rule.source,
    )
