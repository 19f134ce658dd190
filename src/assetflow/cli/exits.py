"""Exit codes, and how an error is told: what happened, to what, what to do next, its code."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from types import MappingProxyType

from assetflow import errors
from assetflow.cli.shown import SCHEMA_VERSION

__all__ = ["EXIT_CODES", "MEANINGS", "exit_code", "tell_error"]

OK, UNEXPECTED, USAGE, CONFIG, ACCESS, LATER, REJECTED, CONFLICT = range(8)
FOUND = 10
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        OK: "Done.",
        UNEXPECTED: "Something that should not happen: a damaged store, a broken journal, a bug.",
        USAGE: "The command was not understood.",
        CONFIG: "Settings, an extra, or the store itself must be mended first.",
        ACCESS: "Credentials were not accepted, or lack a scope.",
        LATER: "A system or the store is busy or out of reach. The same command may work later.",
        REJECTED: "What was handed in was rejected: some rows, a file, a reference.",
        CONFLICT: "A rule says no, or things moved on since they were looked at.",
        FOUND: "`attention --fail-on` found one of the kind.",
        INTERRUPTED: "Ctrl-C.",
    }
)
"""What each exit code means."""

# The nearest class above an error decides, so an error that is not named here has its parent's.
_BY_CLASS: Mapping[type[errors.AssetflowError], int] = MappingProxyType(
    {
        errors.AssetflowError: UNEXPECTED,
        errors.ConfigError: CONFIG,
        errors.InputError: REJECTED,
        errors.Refusal: CONFLICT,
        # the store
        errors.StaleVersion: CONFLICT,
        errors.DuplicateKey: CONFLICT,
        errors.IdempotencyMismatch: CONFLICT,
        errors.StoreLocked: LATER,
        errors.TransactionLost: LATER,
        errors.StoreUnavailable: CONFIG,
        errors.StoreReadOnly: CONFIG,
        errors.StoreFull: CONFIG,
        errors.SchemaTooNew: CONFIG,
        errors.SchemaOutdated: CONFIG,
        errors.FeatureMissing: CONFIG,
        errors.PlaceTaken: CONFLICT,
        # another system
        errors.AuthError: ACCESS,
        errors.PermissionDenied: ACCESS,
        errors.RemoteNotFound: REJECTED,
        errors.RemoteRejected: REJECTED,
        errors.RemoteConflict: CONFLICT,
        errors.TransientError: LATER,
        errors.DeadlineExceeded: LATER,
        errors.ListingExpired: LATER,
        errors.RedirectRefused: CONFIG,
        errors.TargetRefused: CONFIG,
        errors.CapabilityMissing: CONFIG,
        errors.WritesDisabled: CONFIG,
        errors.WrongEventLoop: CONFIG,
        # moving data
        errors.IncompleteListing: LATER,
        errors.TooManyProblems: REJECTED,
        errors.ChangeGuardTripped: CONFLICT,
        errors.PlanChanged: CONFLICT,
        errors.RunInProgress: CONFLICT,
    }
)

EXIT_CODES: Mapping[str, int] = MappingProxyType(
    {
        cls.code: next(_BY_CLASS[p] for p in cls.__mro__ if p in _BY_CLASS)
        for cls in errors.all_errors()
    }
)
"""Error code to exit code."""


def exit_code(error: errors.AssetflowError) -> int:
    """The exit code of an error."""
    return next(_BY_CLASS[cls] for cls in type(error).__mro__ if cls in _BY_CLASS)


_SAID = frozenset({"setting", "extra"})  # the message or the hint names these


def tell_error(error: errors.AssetflowError, *, as_json: bool) -> str:
    """An error as lines for a person, or as one JSON document."""
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "kind": "error", "data": error.as_dict()}
        return json.dumps(document)
    lines = [_sentence(error.message)]
    shown = {k: v for k, v in error.context.items() if v not in (None, "", ()) and k not in _SAID}
    if shown:
        lines.append("  about  " + "; ".join(f"{k} {_plain(v)}" for k, v in shown.items()))
    lines += [f"  do     {_for_shell(error.hint)}", f"  code   {error.code}"]
    return "\n".join(lines)


# A hint speaks Python; here its arguments are options.
_OPTIONS = (
    (re.compile(r"\bmax_(change|absent|new)_percent=(\d+)"), r"--max-\1-percent \2"),
    (re.compile(r"`max_change="), "`--max-change-percent"),
    (re.compile(r"\bcreate_sites=True"), "--create-sites"),
    (re.compile(r"\bday_first="), "--day-first or --month-first"),
    (re.compile(r"\bmapping=\{.*?\}"), "--column HEADING=FIELD"),
)


def _for_shell(hint: str) -> str:
    for pattern, option in _OPTIONS:
        hint = pattern.sub(option, hint)
    return hint


def _sentence(text: str) -> str:
    """A message as a sentence."""
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else whole + "."


def _plain(value: errors.ContextValue) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


class JsonLines(logging.Formatter):
    """Log records as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: time, level, logger, message."""
        told = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(told)
