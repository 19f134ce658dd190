"""Other systems that are told what happens: ``district.webhooks``."""

from __future__ import annotations

import random as random_module
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from assetflow.district.pager import Pager
from assetflow.exchange.cloudevents import source_of
from assetflow.exchange.webhooks import subscriptions as verbs
from assetflow.exchange.webhooks.claims import replay
from assetflow.exchange.webhooks.delivering import Deliverer
from assetflow.exchange.webhooks.posting import DEADLINE, Message, Postbox, environment_secret
from assetflow.exchange.webhooks.schedule import SCHEDULE
from assetflow.model import (
    DeliveryStatus,
    F,
    Order,
    Query,
    Webhook,
    WebhookDelivery,
    WebhookProgress,
)
from assetflow.store.ports import Durability
from assetflow.wire import TargetRules
from assetflow.workflows.given import a, count, line, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assetflow.district.session import Session
    from assetflow.exchange.webhooks.posting import Answer, SecretSource
    from assetflow.exchange.webhooks.report import DeliveryReport
    from assetflow.exchange.webhooks.schedule import Schedule
    from assetflow.exchange.webhooks.subscriptions import WebhookRef
    from assetflow.workflows.references import PlaceRef

__all__ = ["Webhooks"]


class Webhooks:
    """Who is told what, and the telling.

    A webhook is named by its name, its id or itself.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> Pager[Webhook]:
        """All webhooks, by name."""
        return Pager(self._session, Query(kind=Webhook, order=(Order("name"),)))

    def get(self, webhook: WebhookRef) -> Webhook:
        """One webhook.

        Raises:
            NotFound: none answers to that.
        """
        with self._session.read() as tx:
            return verbs.find_webhook(tx, webhook)

    def add(
        self,
        name: str,
        *,
        url: str,
        secrets: Sequence[str],
        types: Sequence[str] = (),
        sites: Sequence[PlaceRef] = (),
        fields: Sequence[str] = (),
        batch_size: int = 100,
        since: int | None = None,
        rules: TargetRules | None = None,
        reason: str | None = None,
    ) -> Webhook:
        """Tell another system of events from now on.

        Args:
            name: A short code for it, such as ``portal``.
            url: Its address, ``https://...``. No call is made yet.
            secrets: Where its signing secret is kept: ``["${PORTAL_SECRET}"]``. The newest
                first, when one is being replaced.
            types: Names of events such as ``device.checked_out`` or ``device.*``; all when empty.
            sites: Only what is at these places or within them; everything when empty.
            fields: Only events that change one of these fields; all when empty.
            batch_size: Most events of one bulk act in one call.
            since: A sequence number after which it is told, to hear of what has happened.
            rules: What is admitted beyond https to public addresses.
            reason: A code for the journal.

        Raises:
            InvalidValue: a value that cannot be what it should be.
            NotFound: no such place.
            DuplicateKey: another webhook has that name.
        """
        if rules is not None:
            a(TargetRules, rules, "what is admitted")
        code, address = (
            line(name, "a webhook's name"),
            line(url, "a webhook's address", longest=4_000),
        )
        return self._session.write(
            lambda tx, act: verbs.add_webhook(
                tx,
                act,
                code,
                url=address,
                secrets=secrets,
                types=types,
                sites=sites,
                fields=fields,
                batch_size=batch_size,
                since=since,
                rules=rules,
            ),
            reason=reason,
        )

    def change(
        self,
        webhook: WebhookRef,
        *,
        rules: TargetRules | None = None,
        reason: str | None = None,
        **changes: Any,
    ) -> Webhook:
        """Set what a webhook is told, where, or its secrets: ``change("portal", types=[...])``.

        Args:
            webhook: Which.
            rules: What is admitted beyond https to public addresses.
            reason: A code for the journal.
            **changes: ``url``, ``secrets``, ``types``, ``sites``, ``fields`` or ``batch_size``,
                as [`add`][assetflow.district.Webhooks.add] takes them.

        Raises:
            NotFound: no such webhook or place.
            InvalidValue: a field that cannot be set, or a value that cannot be.
        """
        return self._session.write(
            lambda tx, act: verbs.change_webhook(tx, act, webhook, changes, rules=rules),
            reason=reason,
        )

    def disable(self, webhook: WebhookRef, *, because: str = "asked") -> Webhook:
        """Tell a webhook nothing until it is enabled again; what happens meanwhile is not lost."""
        return self._session.write(
            lambda tx, act: verbs.disable_webhook(
                tx, act, webhook, because=line(because, "why it is disabled")
            )
        )

    def enable(self, webhook: WebhookRef) -> Webhook:
        """Tell a webhook again, beginning with what happened meanwhile."""
        return self._session.write(lambda tx, act: verbs.enable_webhook(tx, act, webhook))

    def deliver(
        self,
        *,
        seconds: float = 0.0,
        secrets: SecretSource = environment_secret,
        rules: TargetRules | None = None,
        workers: int = 8,
        workers_per_webhook: int = 4,
        timeout: float = DEADLINE,
        schedule: Schedule = SCHEDULE,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
        app_id: str | None = None,
    ) -> DeliveryReport:
        """Send what is due, and come back; for a scheduler that calls it every minute.

        Each event arrives at least once, and what is about one thing in order. Any number of
        processes may do this at once, and any of them may be killed.

        Args:
            seconds: Go on for so long, for a worker that does nothing else.
            secrets: Fetches a signing secret by the name that the webhook has for it; from the
                environment unless given.
            rules: What is admitted beyond https to public addresses.
            workers: Calls at once.
            workers_per_webhook: Calls at once to one webhook.
            timeout: Seconds that a call may take, at most 30.
            schedule: The waits between attempts.
            sleep: Waits for some seconds.
            random: Gives a number from 0 up to, not including, 1.
            app_id: Who sends this, for the User-Agent, such as ``lincoln-portal/2.1``.

        Raises:
            StoreError: what the store raises. Receivers' failures stand in the report.
        """
        seconds, timeout = seconds_of(seconds, "seconds"), seconds_of(timeout, "a timeout")
        session = self._session
        deliverer = Deliverer(
            read=session.read,
            # What the power takes with it is planned and sent once more.
            write=partial(session.write, durability=Durability.BULK),
            clock=session.clock,
            new_id=session.new_id,
            secrets=secrets,
            rules=rules,
            workers=count(workers, "workers", least=1),
            workers_per_webhook=count(workers_per_webhook, "workers of a webhook", least=1),
            timeout=timeout,
            schedule=schedule,
            sleep=sleep,
            random=random,
            app_id=app_id,
        )
        return deliverer.run(seconds=seconds)

    def test(
        self,
        webhook: WebhookRef,
        *,
        secrets: SecretSource = environment_secret,
        rules: TargetRules | None = None,
    ) -> Answer:
        """Send a signed test event once, and say what came of it. Nothing is written.

        Raises:
            NotFound: no such webhook.
            ConfigError: its secret cannot be had.
        """
        found, session = self.get(webhook), self._session
        fresh = session.new_id()
        event = {
            "specversion": "1.0",
            "id": fresh,
            "source": source_of(session.district),
            "type": "org.assetflow.webhook.test.v1",
            "subject": f"webhook/{found.id}",
            "time": session.clock().isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {},
        }
        keys = [secrets(name) for name in found.secret_names]
        box = Postbox(found, keys, rules=rules or TargetRules(), clock=session.clock)
        try:
            return box.post(Message.of(f"msg_{fresh.replace('-', '')}", [event]))
        finally:
            box.close()

    def progress(self, webhook: WebhookRef) -> WebhookProgress:
        """How far a webhook has come.

        Raises:
            NotFound: no such webhook.
        """
        with self._session.read() as tx:
            found = verbs.find_webhook(tx, webhook)
            progress = tx.get(WebhookProgress, found.id)
            return progress or WebhookProgress(webhook_id=found.id)

    def waiting(self, *, webhook: WebhookRef | None = None) -> Pager[WebhookDelivery]:
        """Deliveries that are to be sent, the oldest events first; of one webhook when named."""
        return self._deliveries(DeliveryStatus.PENDING, webhook)

    def dead(self, *, webhook: WebhookRef | None = None) -> Pager[WebhookDelivery]:
        """Deliveries that were given up, the oldest events first; of one webhook when named."""
        return self._deliveries(DeliveryStatus.DEAD, webhook)

    def _deliveries(
        self, status: DeliveryStatus, webhook: WebhookRef | None
    ) -> Pager[WebhookDelivery]:
        where = F.status == status
        if webhook is not None:
            where = where & (F.webhook_id == self.get(webhook).id)
        oldest = (Order("first_seq"),)
        return Pager(self._session, Query(kind=WebhookDelivery, where=where, order=oldest))

    def replay(self, webhook: WebhookRef, *, delivery: str | None = None) -> int:
        """Send again what was given up; how many deliveries there are.

        Args:
            webhook: Which webhook.
            delivery: Only the delivery with this id.

        Raises:
            NotFound: no such webhook.
        """
        webhook_id = self.get(webhook).id
        return self._session.write(
            lambda tx, act: replay(tx, webhook_id, now=act.at, delivery_id=delivery)
        )
