"""The one object that a script holds: [`assetflow.open`][assetflow.open] makes it.

It binds a store, a district, an actor, a clock and a policy, and contains no rule.
"""

from assetflow.district.calendars import Calendars
from assetflow.district.consortium import Consortium, open_consortium
from assetflow.district.custody import CustodyDesk
from assetflow.district.databases import (
    back_up,
    copy_district,
    database_state,
    dump_command,
    pending_sql,
    reporting_views,
    restore,
    restore_command,
    upgrade_database,
)
from assetflow.district.devices import Devices
from assetflow.district.district import District
from assetflow.district.imports import Imports
from assetflow.district.journal import Journal
from assetflow.district.opening import open_district
from assetflow.district.pager import Pager
from assetflow.district.people import Erasure, People
from assetflow.district.places import Places
from assetflow.district.policy import Policy
from assetflow.district.retention import Retention, RetentionRun
from assetflow.district.runs import Runs
from assetflow.district.session import Session
from assetflow.district.webhooks import Webhooks

__all__ = [
    "Calendars",
    "Consortium",
    "CustodyDesk",
    "Devices",
    "District",
    "Erasure",
    "Imports",
    "Journal",
    "Pager",
    "People",
    "Places",
    "Policy",
    "Retention",
    "RetentionRun",
    "Runs",
    "Session",
    "Webhooks",
    "back_up",
    "copy_district",
    "database_state",
    "dump_command",
    "open_consortium",
    "open_district",
    "pending_sql",
    "reporting_views",
    "restore",
    "restore_command",
    "upgrade_database",
]
