"""What ``doctor`` looks at. A check never raises: what goes wrong is what it finds."""

from __future__ import annotations

import importlib.util
import os
import platform
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from assetflow.cli.shapes_work import CheckRow
from assetflow.errors import AssetflowError, StoreLocked

if TYPE_CHECKING:
    from assetflow.cli.verb import Face
    from assetflow.district import District

__all__ = ["all_checks", "check_lines"]

_SKEW = timedelta(minutes=5)
_WAIT = 3.0
"""Seconds for which to wait for another writer: whoever asks what is in the way is not kept waiting."""
_EXTRAS = {
    "google": ("google.auth", "signs in at Google"),
    "keyring": ("keyring", "secrets in the system's keyring"),
}


def all_checks(face: Face, *, offline: bool) -> Iterator[CheckRow]:
    """Every check, the ones that the others hang on first."""
    yield _python()
    yield _package()
    yield _extras()
    yield from _guarded("settings", lambda: _settings(face))
    yield _trust()
    yield _clock()
    yield from _guarded("store", lambda: _store(face))
    if not offline:
        yield from _guarded("Google", lambda: _google(face))


def check_lines(rows: Sequence[CheckRow]) -> list[str]:
    """The checks for a person: a line each, and below one that failed what mends it."""
    width = max(len(row.check) for row in rows)
    lines = []
    for row in rows:
        lines.append(f"{'ok  ' if row.ok else 'BAD '}  {row.check:<{width}}  {row.found}")
        if row.fix and not row.ok:
            lines.append(f"{'':<6}{'':<{width}}  do: {row.fix}")
    bad = sum(not row.ok for row in rows)
    lines.append("Nothing is in the way." if not bad else f"{bad} to mend.")
    return lines


def _ok(check: str, found: str) -> CheckRow:
    return CheckRow(check=check, ok=True, found=found, fix=None)


def _bad(check: str, found: str, fix: str) -> CheckRow:
    return CheckRow(check=check, ok=False, found=found, fix=fix)


def _guarded(check: str, rows: Callable[[], Iterator[CheckRow]]) -> Iterator[CheckRow]:
    """The rows of a group; an error of the library is one row more."""
    try:
        yield from rows()
    except AssetflowError as error:
        yield _bad(check, f"{error.message} [{error.code}]", error.hint)


def _python() -> CheckRow:
    return _ok("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _package() -> CheckRow:
    try:
        version = metadata.version("assetflow-k12")
    except metadata.PackageNotFoundError:
        return _bad("assetflow", "not installed as a package", 'pip install "assetflow-k12[cli]"')
    try:
        other = metadata.version("assetflow")
    except metadata.PackageNotFoundError:
        return _ok("assetflow", version)
    # another distribution installs a package of the same name over this one
    return _bad(
        "assetflow",
        f"{version}, and a foreign distribution called assetflow {other}",
        "pip uninstall assetflow && pip install --force-reinstall assetflow-k12",
    )


def _extras() -> CheckRow:
    def there(module: str) -> bool:
        try:
            return importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            return False

    found = [name for name, (module, _) in _EXTRAS.items() if there(module)]
    missing = [f"{name} ({what})" for name, (_, what) in _EXTRAS.items() if name not in found]
    told = ", ".join(["cli", *found])
    return _ok("extras", told + (f"; not installed: {', '.join(missing)}" if missing else ""))


def _settings(face: Face) -> Iterator[CheckRow]:
    said = [s for s in face.settings if s.source != "default" and s.value]
    sources = dict.fromkeys(s.source for s in said)
    yield _ok("settings", f"{len(said)} set, by {', '.join(sources)}" if said else "none set")


def _trust() -> CheckRow:
    """Where certificates are checked: schools inspect TLS, so it must be the system's own store."""
    if os.environ.get("SSL_CERT_FILE"):
        path = os.environ["SSL_CERT_FILE"]
        if not Path(path).exists():
            return _bad(
                "TLS", "SSL_CERT_FILE names a file that is not there", "unset SSL_CERT_FILE"
            )
        return _ok("TLS", f"certificates of {path}, {ssl.OPENSSL_VERSION}")
    if sys.platform == "linux":
        found = ssl.get_default_verify_paths()
        if not (found.cafile or found.capath):
            return _bad("TLS", "no certificates on this machine", "install ca-certificates")
    return _ok("TLS", f"the system's own certificates, {ssl.OPENSSL_VERSION}")


def _clock() -> CheckRow:
    now = datetime.now(UTC)
    built = datetime(2026, 1, 1, tzinfo=UTC)
    if now < built:
        return _bad(
            "clock", f"{now:%Y-%m-%d %H:%M} UTC lies in the past", "set the clock; turn on NTP"
        )
    zone = datetime.now().astimezone().tzname()
    return _ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, local time zone {zone}")


def _store(face: Face) -> Iterator[CheckRow]:
    if not face.settings.get("store"):
        yield _bad(
            "store",
            "none is set",
            "assetflow init, or --store FILE; to look around: assetflow demo",
        )
        return
    with face.open(lock_timeout=_WAIT) as district:
        yield _ok("store", f"{district.store.address} opens; district {district.id}")
        yield _writable(district)
        yield _newest(district)


def _newest(district: District) -> CheckRow:
    """The journal's end; one that lies in the future tells of a wrong clock, here or there."""
    head = district.journal.head()
    for stored, _, _ in district.journal.events(after=head.seq - 1):
        ahead = datetime.fromisoformat(stored.recorded_at) - datetime.now(UTC)
        if ahead > _SKEW:
            found = (
                f"the newest event lies {ahead.seconds // 60 + ahead.days * 1440:,} minutes ahead"
            )
            return _bad("journal", found, "set the clock; turn on NTP")
    return _ok("journal", f"{head.seq:,} events")


def _writable(district: District) -> CheckRow:
    """Take the write lock and let go of it; nothing is written."""
    try:
        with district.store.write(district.id):
            pass
    except StoreLocked as error:
        return _bad("write lock", f"{error.message}; waited {_WAIT:.0f} s", error.hint)
    except AssetflowError as error:
        return _bad("write lock", f"{error.message} [{error.code}]", error.hint)
    return _ok("write lock", "free")


def _google(face: Face) -> Iterator[CheckRow]:
    from assetflow.cli.google import connect, is_set_up  # noqa: PLC0415  # loads the network

    if not is_set_up(face.settings):
        yield _ok("Google", "not set up; assetflow config show lists what it needs")
        return
    from assetflow.wire import RetryPolicy  # noqa: PLC0415  # as above

    with connect(face.settings, retry=RetryPolicy(max_attempts=1)) as google:
        for check in google.checks():
            found = google.wire.run(check())
            yield CheckRow(check=found.name, ok=found.ok, found=found.found, fix=found.fix)
