"""zlib dictionaries for Google's raw records: what nearly every record repeats.

A record alone is too short to compress well; primed with the names of the fields and the words
that fill most of them, it takes about a third of the space. A stored record names the version
that it was made with, so a version is never changed: add a new one.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RAW_DICTIONARIES"]

# zlib looks back from the end, so the commonest comes last. Made up from the field names of the
# discovery document, in the order in which a record has them; no customer's data.
_V1_WORDS = (
    b'"USER_TYPE_UNMANAGED""USER_TYPE_GUEST""PRE_PROVISIONED""DISABLED""DELINQUENT"'
    b'"DEPROVISION_REASON_SAME_MODEL_REPLACEMENT""DEPROVISION_REASON_DIFFERENT_MODEL_REPLACEMENT"'
    b'"DEPROVISION_REASON_RETIRING_DEVICE""deprovisionReason":"DEPROVISION_REASON_UPGRADE_TRANSFER"'
    b'"lastDeprovisionTimestamp":"202"educationUpgradePerpetual""educationUpgradeFixedTerm"'
    b'"kioskUpgrade""enterprise""chromeOsFlex""notCompliant""pending""complianceUnspecified"'
    b"Lenovo 300e Chromebook Dell Chromebook 3100 Acer Chromebook Spin 511 ASUS Chromebook CR1100"
    b'Samsung Chromebook 4 CTL Chromebook NL71 HP Chromebook 11 G9 EE"orderNumber":"","meid":"'
    b'"supportEndDate":"202"willAutoRenew":false,"ethernetMacAddress":"/Retired/Loaners/Staff'
    b'/Students/High School/Middle School/Elementary School/Grade 12","'
)
_V1_RECORD = (
    b'{"deviceId":"","serialNumber":"","status":"DEPROVISIONED","status":"ACTIVE",'
    b'"lastSync":"2026-01-01T00:00:00.000Z","annotatedUser":"","annotatedLocation":"Room ",'
    b'"annotatedAssetId":"","notes":"","model":" Chromebook ","osVersion":"1'
    b'.0.","platformVersion":" (Official Build) stable-channel ","firmwareVersion":"Google_'
    b'","macAddress":"","bootMode":"Verified","lastEnrollmentTime":"2025-08-01T1'
    b'","firstEnrollmentTime":"2024-08-01T1","orgUnitPath":"/Students/","orgUnitId":"03ph8a2z'
    b'","recentUsers":[{"type":"USER_TYPE_MANAGED","email":"@"},{"type":"USER_TYPE_MANAGED",'
    b'"email":"@k12.us"}],"systemRamTotal":"4","autoUpdateExpiration":"1","manufactureDate":"202'
    b'","deviceLicenseType":"education","autoUpdateThrough":"203","extendedSupportEligible":true,'
    b'"extendedSupportEligible":false,"extendedSupportStart":"202","extendedSupportEnabled":false,'
    b'"chromeOsType":"chromeOs","osVersionCompliance":"compliant","diskSpaceUsage":'
    b'{"capacityBytes":"","usedBytes":""}}'
)

RAW_DICTIONARIES: Mapping[int, bytes] = {1: _V1_WORDS + _V1_RECORD}
"""By version; the highest is used for new records."""
