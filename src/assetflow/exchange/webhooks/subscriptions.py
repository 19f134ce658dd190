"""Who is told of what: webhooks added, changed, disabled and enabled. Each is one journalled act."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import DuplicateKey, InvalidValue, NotFound
from assetflow.exchange.cloudevents import event_names
from assetflow.model import (
    F,
    Query,
    Role,
    Webhook,
    WebhookProgress,
    WebhookStatus,
)
from assetflow.model.events import WebhookAdded, WebhookChanged, WebhookDisabled
from assetflow.store.ports import Entry, Put
from assetflow.store.schema import KINDS
from assetflow.wire import TargetRules
from assetflow.workflows.given import line
from assetflow.workflows.naming import lock_names
from assetflow.workflows.references import find_place

if TYPE_CHECKING:
    from assetflow.model import Event, PlaceId
    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act
    from assetflow.workflows.references import PlaceRef

__all__ = [
    "MOST_BATCH",
    "WebhookRef",
    "add_webhook",
    "change_webhook",
    "disable_webhook",
    "enable_webhook",
    "find_webhook",
    "lock_webhook",
]

WebhookRef = Webhook | str
"""A webhook, its id or its name."""

MOST_BATCH = 1_000
"""Most events of one delivery."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# A variable of the environment, or a place that begins with its kind: KEYRING:service/name.
_SECRET_NAME = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Z][A-Z0-9_]+:[!-~]{1,180}")


def find_webhook(tx: ReadTransaction, ref: WebhookRef) -> Webhook:
    """A webhook by id or name.

    Raises:
        NotFound: none answers to that.
    """
    key = ref.id if isinstance(ref, Webhook) else ref
    found = tx.get(Webhook, key)
    if found is None:
        found = next(iter(tx.find(Query(kind=Webhook, where=F.name == key, limit=1))), None)
    if found is None:
        hint = "`assetflow webhooks list` shows them."
        raise NotFound("no webhook has that id or name", hint=hint)
    return found


def add_webhook(
    tx: Transaction,
    act: Act,
    name: str,
    *,
    url: str,
    secrets: Sequence[str],
    types: Iterable[str] = (),
    sites: Iterable[PlaceRef] = (),
    fields: Iterable[str] = (),
    batch_size: int = 100,
    since: int | None = None,
    rules: TargetRules | None = None,
) -> Webhook:
    """Tell another system of events from now on.

    Args:
        tx: The transaction.
        act: Who, when and why.
        name: A short code for it.
        url: Its address.
        secrets: Where its signing secrets are kept, the newest first; never a secret itself.
        types: Names of events; all when empty.
        sites: Places; all when empty.
        fields: Fields of which one must change; any when empty.
        batch_size: Most events of one bulk act in one delivery.
        since: The sequence number after which it is told; the journal's end when not given.
        rules: What is admitted beyond https to public addresses.

    Raises:
        InvalidValue: a value that cannot be what it should be.
        NotFound: no such place.
        DuplicateKey: another webhook has that name.
    """
    if not _NAME.fullmatch(name):
        raise InvalidValue("a webhook's name is lower-case letters, digits and . _ -")
    webhook = Webhook(
        id=act.new_id(),
        name=name,
        url=url,
        origin=(rules or TargetRules()).origin_of(url),
        secret_names=_secret_names(secrets),
        types=event_names(types),
        sites=_sites(tx, sites),
        fields=_fields(fields),
        batch_size=_batch_size(batch_size),
    )
    lock_names(tx)
    if tx.count(Query(kind=Webhook, where=F.name == name)):
        raise DuplicateKey("another webhook has that name")
    head = tx.record([_entry(act, WebhookAdded(), webhook, None)])
    start = head.seq if since is None else min(since, head.seq)
    tx.insert([WebhookProgress(webhook_id=webhook.id, planned_seq=start)])
    return webhook


def change_webhook(
    tx: Transaction,
    act: Act,
    ref: WebhookRef,
    changes: Mapping[str, Any],
    *,
    rules: TargetRules | None = None,
) -> Webhook:
    """Set what a webhook is told, where, or its secrets: ``url secrets types sites fields batch_size``.

    What is planned already is sent as it was planned, to the new address.

    Raises:
        NotFound: no such webhook or place.
        InvalidValue: a field that cannot be set, or a value that cannot be.
    """
    made: dict[str, Any] = {}
    for name, value in changes.items():
        match name:
            case "url":
                made |= {"url": value, "origin": (rules or TargetRules()).origin_of(value)}
            case "secrets":
                made["secret_names"] = _secret_names(value)
            case "types":
                made["types"] = event_names(value)
            case "sites":
                made["sites"] = _sites(tx, value)
            case "fields":
                made["fields"] = _fields(value)
            case "batch_size":
                made["batch_size"] = _batch_size(value)
            case _:
                hint = "Fields: url, secrets, types, sites, fields, batch_size."
                raise InvalidValue("a webhook has no such field that can be set", hint=hint)
    return _save(tx, act, ref, made)


def enable_webhook(tx: Transaction, act: Act, ref: WebhookRef) -> Webhook:
    """Tell a webhook again. What happened meanwhile is sent, unless it was given up before.

    Raises:
        NotFound: no such webhook.
    """
    webhook = _save(tx, act, ref, {"status": WebhookStatus.ACTIVE, "disabled_because": None})
    progress = tx.get(WebhookProgress, webhook.id)
    if progress is not None:
        tx.upsert([evolve(progress, failing_since=None, paused_until=None)])
    return webhook


def disable_webhook(
    tx: Transaction, act: Act, ref: WebhookRef, *, because: str = "asked", locked: bool = False
) -> Webhook:
    """Tell a webhook nothing more until it is enabled again.

    Args:
        tx: The transaction.
        act: Who, when and why.
        ref: The webhook.
        because: A code for the list and the journal.
        locked: Whether the caller has locked the webhook and its progress.

    Raises:
        NotFound: no such webhook.
        InvalidValue: the reason is not a code.
    """
    if not _CODE.fullmatch(because):
        raise InvalidValue("why a webhook is disabled is a code, such as moved")
    before = find_webhook(tx, ref) if locked else _locked(tx, ref)
    if before.status is WebhookStatus.DISABLED:
        return before
    after = evolve(
        before,
        status=WebhookStatus.DISABLED,
        disabled_because=because,
        version=before.version + 1,
    )
    tx.record([_entry(act, WebhookDisabled(because=because), after, before)])
    return after


def _save(tx: Transaction, act: Act, ref: WebhookRef, changes: Mapping[str, Any]) -> Webhook:
    before = _locked(tx, ref)
    differing = tuple(n for n, v in changes.items() if getattr(before, n) != v)
    if not differing:
        return before
    after = evolve(before, **changes, version=before.version + 1)
    tx.record([_entry(act, WebhookChanged(fields=differing), after, before)])
    return after


def lock_webhook(tx: Transaction, webhook_id: str) -> None:
    """Lock all that is decided about a webhook: its record and its progress.

    Always both: a delivery refers to the webhook, so writing one needs its row as well, and two
    processes that took the two in different order would wait for each other.
    """
    tx.lock((Webhook, (webhook_id,)), (WebhookProgress, (webhook_id,)))


def _locked(tx: Transaction, ref: WebhookRef) -> Webhook:
    webhook_id = find_webhook(tx, ref).id
    lock_webhook(tx, webhook_id)
    return find_webhook(tx, webhook_id)


def _entry(act: Act, event: Event, after: Webhook, before: Webhook | None) -> Entry:
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=(Put(after, before),))


def _secret_names(given: Sequence[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not 1 <= len(names) <= 4:
        raise InvalidValue("a webhook has one signing secret, or a few while it is replaced")
    for name in names:
        if not _SECRET_NAME.fullmatch(str(name)):
            raise InvalidValue(
                "a webhook's secret is named, not given: the record says where it is kept",
                hint="Write ${PORTAL_SECRET} for a variable of the environment, or KEYRING:...",
            )
    return tuple(dict.fromkeys(names))


def _sites(tx: ReadTransaction, given: Iterable[PlaceRef]) -> tuple[PlaceId, ...]:
    if isinstance(given, str):
        given = (given,)
    return tuple(dict.fromkeys(find_place(tx, place).id for place in given))


def _fields(given: Iterable[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))
    told = (Role.JOURNALLED, Role.PERSONAL)
    known = {c.field for k in KINDS.values() if k.journalled for c in k.columns if c.role in told}
    for name in names:
        if line(name, "a field") not in known:
            raise InvalidValue(f"no record has a field {name!r} that the journal tells of")
    return names


def _batch_size(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_BATCH:
        raise InvalidValue(f"a batch is 1 to {MOST_BATCH:,} events")
    return given
