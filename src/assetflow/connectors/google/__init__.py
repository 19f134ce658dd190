"""Google Workspace: Chromebooks, users and org units through the Directory API."""

from assetflow.connectors.google.admin import GoogleAdmin
from assetflow.connectors.google.auth import (
    READ_SCOPES,
    Keyless,
    ServiceAccount,
    application_default,
)
from assetflow.connectors.google.records import AsyncRecords, Records

__all__ = [
    "READ_SCOPES",
    "AsyncRecords",
    "GoogleAdmin",
    "Keyless",
    "Records",
    "ServiceAccount",
    "application_default",
]
