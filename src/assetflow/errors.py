"""Every exception that assetflow raises on purpose.

```
AssetflowError
├── ConfigError                 how the library was set up
│   ├── MissingExtra            an optional package is not installed (also an ImportError)
│   ├── PluginError             an entry point cannot be loaded
│   ├── PolicyError             a district policy file has a wrong key or value
│   ├── IdentityKeyNeeded       a name is to be sealed or opened without its key
│   ├── DistrictRequired        the store holds several districts, or none
│   └── UnknownDistrict         the store does not hold that district
├── InputError                  what the caller handed in
│   ├── InvalidValue            a value that cannot be what it should be
│   ├── NotFound                nothing answers to that reference
│   ├── AmbiguousReference      more than one record answers to that reference
│   ├── SignatureInvalid        a webhook that was received is not from whom it says
│   ├── SealInvalid             a seal that was changed, or is of something else
│   └── FileError
│       ├── FileUnreadable      not there, or not the encoding that was said
│       ├── FileRefused         too large, a bomb, a path that climbs out
│       └── UnknownColumns      no known header in the file
├── Refusal                     a rule of the district says no
│   ├── DeviceUnavailable       not in stock, or not in a state to be handed out
│   ├── DeviceInOtherHands      somebody already holds it
│   ├── AlreadyTheirs           the same party already holds it: nothing to do
│   ├── NotCheckedOut           nobody holds it
│   ├── WrongHolder             somebody else holds it
│   ├── HolderBlocked           the holder has a hold that the policy blocks on
│   ├── HolderLeft              the holder is no longer enrolled or employed
│   ├── LoanLimitReached        the holder has as many devices as the policy allows
│   ├── DateRefused             a date outside what the rule allows
│   ├── FundingInvalid          funding shares that do not add up to 100 %
│   └── PersonHoldsDevices      to be erased, and answers for a device
├── StoreError
│   ├── StaleVersion            somebody changed the record since it was read
│   ├── DuplicateKey            a record with that key exists
│   ├── IdempotencyMismatch     another request was made under this key
│   ├── WriteWithoutEvent       a journalled column would change with no event
│   ├── StoreUnavailable        cannot be reached, or does not exist
│   ├── StoreLocked             another process holds the lock
│   ├── StoreReadOnly           the file or the role may not write
│   ├── StoreFull               no space left
│   ├── StoreDamaged            the file is not a sound database
│   ├── SchemaTooNew            written by a newer version of assetflow
│   ├── SchemaOutdated          must be upgraded first
│   ├── FeatureMissing          this store cannot do that
│   ├── TransactionClosed       used after its end
│   ├── TransactionLost         the database ended it before its commit: do it again
│   ├── CommitUnknown           the connection broke during the commit: look first
│   ├── PlaceTaken              a copy would go over what is there already
│   ├── CopyDiffers             what arrived is not what the source holds
│   └── JournalBroken           the hash chain does not hold
├── ConnectorError              what another system answered
│   ├── AuthError               the credentials were not accepted
│   ├── PermissionDenied        the account lacks a scope or privilege
│   ├── RemoteNotFound
│   ├── RemoteConflict
│   ├── RemoteRejected          the request is wrong, and will stay wrong
│   ├── TransientError          may work in a while
│   │   ├── RateLimited         with how long to wait, when the vendor says so
│   │   └── Unreachable         no connection, or it broke
│   ├── DeadlineExceeded        the call's total time is used up
│   ├── PayloadError            an answer that is not what the vendor documents
│   ├── BodyTooLarge            more bytes than the limit, on the wire or inflated
│   ├── RedirectRefused         sent to another host
│   ├── TargetRefused           an address that calls may not go to
│   ├── PageLoop                a listing names a page that it already gave
│   ├── ListingExpired          a listing outlived the vendor's limit
│   ├── CapabilityMissing       this connector does not offer that
│   ├── WritesDisabled          the connector was not made for writing
│   └── WrongEventLoop          an async client used in another event loop
└── ExchangeError               moving data between a system and the store
    ├── IncompleteListing       fewer records than the vendor counts
    ├── ChangeGuardTripped      the run would change more than allowed
    ├── TooManyProblems         too many records could not be read
    ├── PlanChanged             the store moved on since the plan was made
    └── RunInProgress           another process works on this pull
```

Each class has a stable ``code``, a ``recovery`` that says what a program should do, and a
``hint`` that tells a person what to do next. ``context`` holds opaque ids, codes and counts
only: never a name, an e-mail address or a secret, so an error may be logged as it is.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "AlreadyTheirs",
    "AmbiguousReference",
    "AssetflowError",
    "AuthError",
    "BodyTooLarge",
    "CapabilityMissing",
    "ChangeGuardTripped",
    "CommitUnknown",
    "ConfigError",
    "ConnectorError",
    "CopyDiffers",
    "DateRefused",
    "DeadlineExceeded",
    "DeviceInOtherHands",
    "DeviceUnavailable",
    "DistrictRequired",
    "DuplicateKey",
    "ExchangeError",
    "FeatureMissing",
    "FileError",
    "FileRefused",
    "FileUnreadable",
    "FundingInvalid",
    "HolderBlocked",
    "HolderLeft",
    "IdempotencyMismatch",
    "IdentityKeyNeeded",
    "IncompleteListing",
    "InputError",
    "InvalidValue",
    "JournalBroken",
    "ListingExpired",
    "LoanLimitReached",
    "MissingExtra",
    "NotCheckedOut",
    "NotFound",
    "PageLoop",
    "PayloadError",
    "PermissionDenied",
    "PersonHoldsDevices",
    "PlaceTaken",
    "PlanChanged",
    "PluginError",
    "PolicyError",
    "RateLimited",
    "Recovery",
    "RedirectRefused",
    "Refusal",
    "RemoteConflict",
    "RemoteNotFound",
    "RemoteRejected",
    "RunInProgress",
    "SchemaOutdated",
    "SchemaTooNew",
    "SealInvalid",
    "SignatureInvalid",
    "StaleVersion",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreReadOnly",
    "StoreUnavailable",
    "TargetRefused",
    "TooManyProblems",
    "TransactionClosed",
    "TransactionLost",
    "TransientError",
    "UnknownColumns",
    "UnknownDistrict",
    "Unreachable",
    "WriteWithoutEvent",
    "WritesDisabled",
    "WrongEventLoop",
    "WrongHolder",
    "all_errors",
]

ContextValue = str | int | bool | None | tuple[str, ...]


class Recovery(enum.Enum):
    """What a program should do about an error."""

    RETRY = "retry"
    """Do the same again, a little later."""
    FIX_INPUT = "fix-input"
    """Change what was asked for."""
    FIX_CONFIG = "fix-config"
    """Change how the library or the account is set up."""
    SKIP = "skip"
    """Leave this one record out and go on."""
    REPORT = "report"
    """Neither a retry nor another input will help; tell a person."""


class AssetflowError(Exception):
    """The root of every error that assetflow raises on purpose.

    Args:
        message: What happened, and to what. No personal data, no secrets.
        hint: What to do next; the class has a general one.
        context: Opaque ids, codes and counts that belong to this case.
    """

    code: ClassVar[str] = "assetflow-error"
    recovery: ClassVar[Recovery] = Recovery.REPORT
    default_hint: ClassVar[str] = "Report this with the code and the context shown."

    def __init__(self, message: str, *, hint: str | None = None, **context: ContextValue) -> None:
        super().__init__(message)
        self.message: str = message
        self.hint: str = hint if hint is not None else self.default_hint
        self.context: Mapping[str, ContextValue] = context

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), dict(self.__dict__)))

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r})"

    @property
    def docs_path(self) -> str:
        """Where the documentation explains this code, relative to the site's root."""
        return f"reference/errors/#{self.code}"

    def as_dict(self) -> dict[str, object]:
        """The error as plain data, for ``--json`` output and logs."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "recovery": self.recovery.value,
            "context": dict(self.context),
        }


def _rebuild(cls: type[AssetflowError], state: dict[str, object]) -> AssetflowError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


def all_errors() -> Iterator[type[AssetflowError]]:
    """Every error class, the root first, each after its parent."""
    todo = [AssetflowError]
    while todo:
        cls = todo.pop(0)
        yield cls
        todo.extend(sub for sub in cls.__subclasses__() if sub.__module__ == __name__)


# --- configuration -------------------------------------------------------------------------


class ConfigError(AssetflowError):
    """The library is set up in a way that cannot work."""

    code = "config"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Run `assetflow doctor`: it names the setting and how to mend it."


class MissingExtra(ConfigError, ImportError):
    """A feature needs an optional package that is not installed."""

    code = "missing-extra"
    default_hint = "Install the extra that the message names."

    def __init__(self, extra: str, *, needs: str, hint: str | None = None) -> None:
        super().__init__(
            f"{needs} is not installed",
            hint=hint or f'Run: pip install "assetflow-k12[{extra}]"',
            extra=extra,
        )


class PluginError(ConfigError):
    """An installed plugin cannot be loaded, or two plugins offer one name."""

    code = "plugin"
    default_hint = "Update or uninstall the distribution that the message names."


class PolicyError(ConfigError):
    """A district policy has an unknown key or a value that is not allowed."""

    code = "policy"
    default_hint = "Correct the named key; the message lists what is allowed."


class IdentityKeyNeeded(ConfigError):
    """A programme demands the name of a person, and the key to seal or open it is not here."""

    code = "identity-key-needed"
    default_hint = "Give the district's identity keys: keys=IdentityKeys.from_file(...)."


class DistrictRequired(ConfigError):
    """The store holds several districts, or none, and none was named."""

    code = "district-required"
    default_hint = 'Name it: assetflow.open(url, district="..."). A new file: assetflow init.'


class UnknownDistrict(ConfigError):
    """The store does not hold the district that was named."""

    code = "unknown-district"
    default_hint = "Check the district's id; `create=True` makes a new one."


# --- input ---------------------------------------------------------------------------------


class InputError(AssetflowError):
    """Something that the caller handed in is not usable."""

    code = "input"
    recovery = Recovery.FIX_INPUT
    default_hint = "Correct the value that the message names."


class InvalidValue(InputError, ValueError):
    """A value that cannot be what it should be, such as a float for money."""

    code = "invalid-value"


class NotFound(InputError, LookupError):
    """No record answers to that id, tag or serial."""

    code = "not-found"
    default_hint = "Check the spelling; `assetflow devices list` shows what is there."


class AmbiguousReference(InputError):
    """More than one record answers to that reference.

    Attributes:
        candidates: The ids that answer, at most ten.
    """

    code = "ambiguous"
    default_hint = "Use one of the candidates' ids."

    def __init__(self, message: str, *, candidates: Sequence[str], hint: str | None = None) -> None:
        shown = tuple(candidates[:10])
        super().__init__(message, hint=hint, candidates=shown, count=len(candidates))
        self.candidates = shown


class SignatureInvalid(InputError):
    """A webhook that was received has no signature that fits, or is too old."""

    code = "webhook-signature"
    default_hint = "Answer 401. Verify the body's bytes as they came, with the current secret."


class SealInvalid(InputError):
    """A seal cannot be read, was changed, or is of another district."""

    code = "seal-invalid"
    default_hint = "Use the seal as it was written, and the key that it was signed with."


class FileError(InputError):
    """A file cannot be taken in."""

    code = "file"


class FileUnreadable(FileError):
    """The file is not there, or not in the encoding that was said."""

    code = "file-unreadable"
    default_hint = "Check the path, or name the encoding."


class FileRefused(FileError):
    """The file is too large, expands too far, or names a path outside its folder."""

    code = "file-refused"
    default_hint = "Export the file again from its source; do not unpack this one."


class UnknownColumns(FileError):
    """None of the file's headers is known, so nothing can be mapped."""

    code = "unknown-columns"
    default_hint = "Name the columns: mapping={'Serial #': 'serial', ...}."


# --- rules ---------------------------------------------------------------------------------


class Refusal(AssetflowError):
    """A rule of the district says no. Nothing was written.

    Attributes:
        rule: The rule that decided, as named by the policy.
    """

    code = "refused"
    recovery = Recovery.FIX_INPUT
    default_hint = "See the rule that the context names."

    @property
    def rule(self) -> str:
        """The rule that decided, such as ``custody.one-holder``."""
        return str(self.context.get("rule", self.code))


class DeviceUnavailable(Refusal):
    """The device is not in a state to be handed out."""

    code = "device-unavailable"
    default_hint = "Look at its lifecycle and condition: `assetflow devices show TAG`."


class DeviceInOtherHands(Refusal):
    """Somebody already holds the device."""

    code = "device-in-other-hands"
    default_hint = "Check it in first, or use transfer."


class AlreadyTheirs(Refusal):
    """The party that is to have the device has it already, so there is nothing to do."""

    code = "already-theirs"
    recovery = Recovery.SKIP
    default_hint = "Nothing to do: it was handed out before. The context names the custody."


class NotCheckedOut(Refusal):
    """Nobody holds the device, so it cannot be checked in or transferred."""

    code = "not-checked-out"
    default_hint = "Nothing to do, if the device is where it should be."


class WrongHolder(Refusal):
    """Somebody other than the person named holds the device."""

    code = "wrong-holder"
    default_hint = "Set the device aside and find out who handed it in."


class HolderBlocked(Refusal):
    """The holder has a hold that the district's policy blocks on."""

    code = "holder-blocked"
    default_hint = "Clear the holds that the context names, or override with a reason."


class HolderLeft(Refusal):
    """The person is no longer enrolled or employed."""

    code = "holder-left"
    default_hint = "Check the roster; a device cannot go out to someone who left."


class LoanLimitReached(Refusal):
    """The holder already has as many devices as the policy allows."""

    code = "loan-limit"
    default_hint = "Check one in first, or raise custody.max_devices in the policy."


class DateRefused(Refusal):
    """A date lies outside what the rule allows."""

    code = "date-refused"
    default_hint = "Choose a date that the message allows."


class FundingInvalid(Refusal):
    """Funding shares of a device do not add up to 100 %."""

    code = "funding-invalid"
    default_hint = "Shares are basis points; those in force on one day add up to 10000."


class PersonHoldsDevices(Refusal):
    """The person still answers for devices, so erasing them would leave nobody to ask."""

    code = "person-holds-devices"
    default_hint = "Check the devices in first; the context lists them."


# --- store ---------------------------------------------------------------------------------


class StoreError(AssetflowError):
    """The store could not do what it was asked. Nothing of that transaction remains.

    One of them cannot say so: `CommitUnknown`.
    """

    code = "store"
    default_hint = "Run `assetflow doctor` against the store."


class StaleVersion(StoreError):
    """Somebody changed the record since it was read."""

    code = "stale-version"
    recovery = Recovery.RETRY
    default_hint = "Read the record again and repeat the act."


class DuplicateKey(StoreError):
    """A record with that key exists already."""

    code = "duplicate-key"
    recovery = Recovery.FIX_INPUT
    default_hint = "Use the record that exists, or another tag."


class IdempotencyMismatch(StoreError):
    """Another request was made under this idempotency key."""

    code = "idempotency-mismatch"
    recovery = Recovery.FIX_INPUT
    default_hint = "Use a new key for a new request."


class WriteWithoutEvent(StoreError):
    """A journalled column would change with no event to account for it."""

    code = "write-without-event"
    default_hint = "Pass journalled records to Transaction.record together with their event."


class StoreUnavailable(StoreError):
    """The store cannot be reached, or does not exist."""

    code = "store-unavailable"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Check the address, that the server runs, and the account's rights."


class StoreLocked(StoreError):
    """Another process holds the write lock for longer than the wait allows."""

    code = "store-locked"
    recovery = Recovery.RETRY
    default_hint = "Try again when the other process is done; see who has the file open."


class StoreReadOnly(StoreError):
    """The file, its folder or the database role may not write."""

    code = "store-read-only"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Give the account write permission on the file and its folder."


class StoreFull(StoreError):
    """There is no space left. What was acknowledged before is safe."""

    code = "store-full"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Free space on the disk and repeat the act."


class StoreDamaged(StoreError):
    """The file is not a sound database."""

    code = "store-damaged"
    default_hint = "Stop writing to it and restore the newest backup."


class SchemaTooNew(StoreError):
    """The store was written by a newer version of assetflow."""

    code = "schema-too-new"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Upgrade assetflow; an older version must not write to it."


class SchemaOutdated(StoreError):
    """The store must be upgraded before this version can use it."""

    code = "schema-outdated"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Run `assetflow db upgrade` after a backup."


class FeatureMissing(StoreError):
    """This store does not offer the feature that was asked for."""

    code = "feature-missing"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Use a store that declares the feature."


class TransactionClosed(StoreError):
    """A transaction was used after its end."""

    code = "transaction-closed"
    default_hint = "Do all reads and writes inside the `with` block."


class TransactionLost(StoreError):
    """The database ended a transaction before its commit, for another's sake or with its connection.

    Nothing of it remains, and it may succeed when it is done again as a whole. What a `District`
    does is done again, a few times, by itself.
    """

    code = "transaction-lost"
    recovery = Recovery.RETRY
    default_hint = "Do the whole act again."


class CommitUnknown(StoreError):
    """The connection broke while a commit was under way: it was made, or it was not.

    It is never repeated by itself, since that could do an act twice.
    """

    code = "commit-unknown"
    default_hint = "Read whether it is there, then repeat the act if it is not."


class PlaceTaken(StoreError):
    """A copy, a backup or a restore would go over what is there already. Nothing was changed."""

    code = "place-taken"
    recovery = Recovery.FIX_INPUT
    default_hint = "Name a place that is not in use; nothing is ever copied over."


class CopyDiffers(StoreError):
    """What arrived is not what the source holds. The copy was not put into use."""

    code = "copy-differs"
    default_hint = "Copy again to an empty place; if it differs again, check the machine's disks."


class JournalBroken(StoreError):
    """The hash chain of the journal does not hold: the record was changed afterwards.

    The context names the first sequence number at fault.
    """

    code = "journal-broken"
    default_hint = "Keep the file as it is, and compare it with a backup and a sealed head."


# --- connectors ----------------------------------------------------------------------------


class ConnectorError(AssetflowError):
    """Another system did not do what was asked.

    Args:
        message: What happened; never a payload, a URL's query or a secret.
        connector: The connector's name, such as ``google``.
        operation: The call's name, such as ``list-chromebooks``.
        status: The HTTP status, when there was an answer.
        request_id: The vendor's own id of the request, for a support case.
        hint: What to do next.
        **context: Opaque ids, codes and counts.
    """

    code = "connector"
    default_hint = "See the vendor's status page, and give the request id to its support."

    def __init__(
        self,
        message: str,
        *,
        connector: str = "",
        operation: str = "",
        status: int | None = None,
        request_id: str | None = None,
        hint: str | None = None,
        **context: ContextValue,
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            connector=connector,
            operation=operation,
            status=status,
            request_id=request_id,
            **context,
        )
        self.connector = connector
        self.operation = operation
        self.status = status
        self.request_id = request_id


class AuthError(ConnectorError):
    """The credentials were not accepted."""

    code = "auth"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Run `assetflow doctor`: it tests the credentials and names what is wrong."


class PermissionDenied(ConnectorError):
    """The account is known but lacks a scope or a privilege."""

    code = "permission-denied"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Grant the scope or privilege that the message names."


class RemoteNotFound(ConnectorError):
    """The other system does not know that record."""

    code = "remote-not-found"
    recovery = Recovery.SKIP
    default_hint = "The record may have been deleted there; pull again."


class RemoteConflict(ConnectorError):
    """The record changed there, or exists there already."""

    code = "remote-conflict"
    recovery = Recovery.RETRY
    default_hint = "Read the record again, then decide."


class RemoteRejected(ConnectorError):
    """The request was understood and refused; repeating it changes nothing."""

    code = "remote-rejected"
    recovery = Recovery.FIX_INPUT
    default_hint = "Correct the request as the message says."


class TransientError(ConnectorError):
    """The other system is busy or unwell; the same call may work in a while."""

    code = "transient"
    recovery = Recovery.RETRY
    default_hint = "Try again in a few minutes."


class RateLimited(TransientError):
    """The vendor's quota is used up.

    Attributes:
        retry_after: Seconds to wait, when the vendor says so.
    """

    code = "rate-limited"
    default_hint = "Wait as long as the context says; run fewer jobs at once."

    def __init__(
        self, message: str, *, retry_after: float | None = None, **kwargs: ContextValue
    ) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]  # the parent's names, typed there
        self.retry_after = retry_after


class Unreachable(TransientError):
    """No connection could be made, or it broke before the answer was complete."""

    code = "unreachable"
    default_hint = "Check the network, the proxy and the filter that inspects TLS."


class DeadlineExceeded(ConnectorError):
    """The call's total time is used up, retries included."""

    code = "deadline"
    recovery = Recovery.RETRY
    default_hint = "Try again, or allow more time with `timeout=`."


class PayloadError(ConnectorError):
    """An answer that is not what the vendor documents.

    Attributes:
        problems: Paths and record ids at fault, without values.
    """

    code = "payload"
    default_hint = "A proxy may have answered instead; else report it with the problems shown."

    def __init__(
        self, message: str, *, problems: Sequence[str] = (), **kwargs: ContextValue
    ) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]  # the parent's names, typed there
        self.problems: tuple[str, ...] = tuple(problems)


class BodyTooLarge(ConnectorError):
    """An answer has more bytes than the limit, on the wire or inflated."""

    code = "body-too-large"
    default_hint = "Raise the limit only if you know why the answer is so large."


class RedirectRefused(ConnectorError):
    """The server sent the call to another host, where the credentials must not go."""

    code = "redirect-refused"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Check the address of the tenant."


class TargetRefused(ConnectorError):
    """A name leads to an address that calls may not go to: a private, loopback or reserved one."""

    code = "target-refused"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Use a public https address, or allow the network where the call is made."


class PageLoop(ConnectorError):
    """A listing names a page that it already gave, so it would never end."""

    code = "page-loop"
    default_hint = "Pull again; if it repeats, report it to the vendor."


class ListingExpired(ConnectorError):
    """A listing took longer than the vendor lets one live; its pages cannot go on."""

    code = "listing-expired"
    recovery = Recovery.RETRY
    default_hint = "Pull again with smaller shards: one listing per org unit."


class CapabilityMissing(ConnectorError):
    """This connector does not offer what was asked."""

    code = "capability-missing"
    recovery = Recovery.FIX_CONFIG
    default_hint = "See the capability matrix in the documentation."


class WritesDisabled(ConnectorError):
    """The connector was not made for writing."""

    code = "writes-disabled"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Name the writes that you allow when you make the connector."


class WrongEventLoop(ConnectorError):
    """An async client made in one event loop was used in another."""

    code = "wrong-event-loop"
    recovery = Recovery.FIX_CONFIG
    default_hint = "Make the connector inside the event loop that uses it."


# --- exchange ------------------------------------------------------------------------------


class ExchangeError(AssetflowError):
    """Data could not be moved between a system and the store.

    Attributes:
        report: What was done before it stopped, when something was: a pull's report.
    """

    code = "exchange"
    report: object | None = None
    default_hint = "Look at the run: `assetflow runs show ID`."


class IncompleteListing(ExchangeError):
    """A listing gave fewer records than the vendor counts; absence proves nothing."""

    code = "incomplete-listing"
    recovery = Recovery.RETRY
    default_hint = "Pull again; what was seen has been kept."


class ChangeGuardTripped(ExchangeError):
    """The run would change more records than the policy allows in one run."""

    code = "change-guard"
    recovery = Recovery.FIX_INPUT
    default_hint = "Look at the plan; allow it with `max_change=` if it is right."


class TooManyProblems(ExchangeError):
    """Too many records of a listing could not be read."""

    code = "too-many-problems"
    default_hint = "Look at the problems of the run; the vendor may have changed its format."


class PlanChanged(ExchangeError):
    """The store moved on since the plan was made, so the plan no longer fits."""

    code = "plan-changed"
    recovery = Recovery.RETRY
    default_hint = "Make the plan again and look at it."


class RunInProgress(ExchangeError):
    """Another process works on this pull."""

    code = "run-in-progress"
    recovery = Recovery.RETRY
    default_hint = "Wait for it to end; a killed run is taken over after its lease."
