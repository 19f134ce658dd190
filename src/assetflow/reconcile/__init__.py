"""Who is who, and what changed: pure comparisons of what a source claims with what the district holds."""

from assetflow.reconcile.authority import Verdicts, weigh
from assetflow.reconcile.diff import (
    DIGEST_SIZE,
    PERSONAL_FIELDS,
    TRACKED_FIELDS,
    changed_fields,
    digest,
    digest_of_all,
    digests,
    facts_of,
    is_of_this_scheme,
    observed_array,
    observed_fields,
    observed_from_array,
    observed_from_facts,
    told_the_same,
)
from assetflow.reconcile.match import DeviceIndex, IndexedDevice, Match

__all__ = [
    "DIGEST_SIZE",
    "PERSONAL_FIELDS",
    "TRACKED_FIELDS",
    "DeviceIndex",
    "IndexedDevice",
    "Match",
    "Verdicts",
    "changed_fields",
    "digest",
    "digest_of_all",
    "digests",
    "facts_of",
    "is_of_this_scheme",
    "observed_array",
    "observed_fields",
    "observed_from_array",
    "observed_from_facts",
    "told_the_same",
    "weigh",
]
