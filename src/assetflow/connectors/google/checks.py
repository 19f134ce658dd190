"""What ``assetflow doctor`` looks at: each line one small call, told in the district's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from assetflow.connectors.google.calls import Directory, parse_count
from assetflow.connectors.google.mapping import PersonMapper
from assetflow.connectors.spec import Check
from assetflow.errors import ConnectorError, DeadlineExceeded, Unreachable
from assetflow.wire import Call, Flow

__all__ = ["checks"]


def checks(directory: Directory) -> Sequence[Callable[[], Flow[Check]]]:
    """The checks, the one that the others hang on first."""
    devices = directory.chromebooks().first.with_params(
        maxResults="1", fields="chromeosdevices(deviceId)"
    )
    users = directory.users(PersonMapper()).first.with_params(maxResults="1", fields="users(id)")
    units = directory.org_units().first.with_params(fields="organizationUnits(orgUnitId)")
    return (
        partial(_reachable, directory.count()),
        partial(_count, directory.count()),
        partial(_may, "Chromebooks can be read", devices),
        partial(_may, "org units can be read", units),
        partial(_may, "users can be read", users),
    )


def _reachable(call: Call) -> Flow[Check]:
    """Any answer of Google's will do, also a refusal."""
    name = "Google can be reached"
    try:
        yield call
    except (Unreachable, DeadlineExceeded) as error:
        return Check(name=name, ok=False, found=error.message, fix=error.hint)
    except ConnectorError:
        return Check(name=name, ok=True, found="it answers")
    return Check(name=name, ok=True, found="it answers")


def _count(call: Call) -> Flow[Check]:
    name = "the customer's Chromebooks can be counted"
    try:
        reply = yield call
        count = parse_count(reply.body)
    except ConnectorError as error:
        return Check(name=name, ok=False, found=error.message, fix=error.hint)
    return Check(name=name, ok=True, found=f"{count:,} Chromebooks")


def _may(name: str, call: Call) -> Flow[Check]:
    try:
        yield call
    except ConnectorError as error:
        return Check(name=name, ok=False, found=error.message, fix=error.hint)
    return Check(name=name, ok=True, found="yes")
