"""What a run has counted so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, evolve

if TYPE_CHECKING:
    from assetflow.model import Run

__all__ = ["Tally"]


@define
class Tally:
    """Counts of a run as it goes."""

    seen: int = 0
    """Records read."""
    created: int = 0
    """Devices registered."""
    linked: int = 0
    """Records matched to devices that were there."""
    changed: int = 0
    """Records of known devices whose tracked fields changed."""
    unchanged: int = 0
    """Records equal to the last observation, of devices that are known."""
    unmatched: int = 0
    """Records that belong to no device."""
    absent: int = 0
    """Records that a complete listing no longer had."""
    disagreements: int = 0
    """Fields on which source and district differ."""
    problems: int = 0
    """Records that could not be read."""

    @classmethod
    def of(cls, run: Run) -> Tally:
        """The counts as a run's row has them."""
        return cls(*(getattr(run, name) for name in cls.__slots__ if name != "__weakref__"))

    def onto(self, run: Run) -> Run:
        """The run's row with these counts."""
        return evolve(
            run, **{name: getattr(self, name) for name in self.__slots__ if name != "__weakref__"}
        )
