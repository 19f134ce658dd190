"""Who is who, and what changed: pure comparisons of what a source claims with what the district holds."""

from assetflow.reconcile.authority import Verdicts, weigh
from assetflow.reconcile.diff import (
    PERSONAL_FIELDS,
    TRACKED_FIELDS,
    changed_fields,
    digest,
    facts_of,
    observed_array,
    observed_fields,
    observed_from_array,
    observed_from_facts,
)
from assetflow.reconcile.match import DeviceIndex, IndexedDevice, Match

__all__ = [
    "PERSONAL_FIELDS",
    "TRACKED_FIELDS",
    "DeviceIndex",
    "IndexedDevice",
    "Match",
    "Verdicts",
    "changed_fields",
    "digest",
    "facts_of",
    "observed_array",
    "observed_fields",
    "observed_from_array",
    "observed_from_facts",
    "weigh",
]
