"""A roster in: organisations become places, users people, agents guardians."""

from assetflow.exchange.rosters.plan import RosterImport, RosterPlan

__all__ = ["RosterImport", "RosterPlan"]
