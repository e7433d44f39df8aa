"""The webhook side of the stand-in PagerDuty: V3 deliveries, signed and repeated as PagerDuty does.

Per subscription and incident the order is kept, and a delivery that is being repeated holds up those behind it.
2xx: delivered. 5xx, 429, no answer within 5 s: tried again with the same x-webhook-id. Other 4xx: dropped for
ever; three in a row disable the subscription and empty its queue. The pauses between attempts are short here.
"""

import hashlib
import hmac
import http.client
import json
import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit


class DeliveryState(StrEnum):
    """How a delivery ended, so far."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    DROPPED = "dropped"


@dataclass
class Subscription:
    """Where events go. Several `secrets` give several signatures. `events` None: all of them. `filter` is a reference to the
    service or team whose events are sent; without one, or with an account's, everybody's are."""

    id: str
    url: str
    secrets: list[str]
    events: frozenset[str] | None = None
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    active: bool = True
    temporarily_disabled: bool = False
    drops_in_a_row: int = 0
    filter: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    removed: bool = False

    def wants(self, event_type: str, concerns: frozenset[str]) -> bool:
        """Whether an event about these services and teams is sent there."""
        if not self.active or self.temporarily_disabled:
            return False
        meant = self.filter.get("id")
        return (self.events is None or event_type in self.events) and (meant is None or meant in concerns)


@dataclass
class Delivery:
    """One event for one subscription. `attempts` holds the status of each, or the name of what went wrong."""

    id: str
    subscription: Subscription
    event_type: str
    lane: str
    body: bytes
    state: DeliveryState = DeliveryState.QUEUED
    attempts: list[int | str] = field(default_factory=list)


@dataclass(frozen=True)
class Pauses:
    """Seconds between attempts: `first_s`, then doubling up to `most_s`; and how long an answer may take."""

    first_s: float = 0.05
    most_s: float = 1.0
    timeout_s: float = 5.0


def signature(secrets: list[str], body: bytes) -> str:
    """The X-PagerDuty-Signature header: one v1 element per secret."""
    return ",".join("v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets)


class WebhookSender:
    """Sends events to subscriptions from background threads, one per subscription and incident."""

    def __init__(self, stamp: Callable[[], str], pauses: Pauses | None = None) -> None:
        self._stamp, self._pauses = stamp, pauses or Pauses()
        self._changed = threading.Condition()
        self._lanes: dict[tuple[str, str], queue.Queue[Delivery | None]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._count = 0
        self.duplicates = 0
        """How many extra times each delivery is sent."""
        self.subscriptions: dict[str, Subscription] = {}
        self.deliveries: list[Delivery] = []

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Start to send to it."""
        self.subscriptions[subscription.id] = subscription
        return subscription

    def unsubscribe(self, subscription_id: str) -> None:
        """Send nothing more to it; what is queued is dropped."""
        self.subscriptions.pop(subscription_id).removed = True

    def emit(
        self,
        event_type: str,
        data: Mapping[str, Any],
        agent: Mapping[str, Any] | None,
        lane: str,
        *,
        only: str = "",
        concerns: frozenset[str] = frozenset(),
    ) -> list[Delivery]:
        """Queue one event for every subscription that wants it (`only`: for this one, whatever it listens to).

        `lane` is the incident or other resource, `concerns` the service and teams it belongs to.
        """
        self._count += 1
        event = {
            "id": f"01STANDIN{self._count:017d}",
            "event_type": event_type,
            "resource_type": event_type.split(".")[0],
            "occurred_at": self._stamp(),
            "agent": agent,
            "client": None,
            "data": data,
        }
        body = json.dumps({"event": event}, ensure_ascii=False).encode()
        known = list(self.subscriptions.values())
        wanted = [s for s in known if (s.id == only if only else s.wants(event_type, concerns))]
        made = [Delivery(str(uuid.uuid4()), s, event_type, lane, body) for s in wanted]
        for delivery in made:
            self._enqueue(delivery)
            for _ in range(self.duplicates):
                self.redeliver(delivery)
        return made

    def redeliver(self, delivery: Delivery) -> Delivery:
        """The same delivery once more, same id and body, as after an answer that PagerDuty never saw."""
        again = Delivery(delivery.id, delivery.subscription, delivery.event_type, delivery.lane, delivery.body)
        self._enqueue(again)
        return again

    def enable(self, subscription_id: str) -> None:
        """Make a disabled subscription work again; what was queued meanwhile is lost."""
        subscription = self.subscriptions[subscription_id]
        subscription.temporarily_disabled, subscription.drops_in_a_row = False, 0

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is queued; False when the time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: all(d.state is not DeliveryState.QUEUED for d in self.deliveries), timeout_s)

    def stop(self) -> None:
        """Stop sending; what is still queued stays queued."""
        self._stopping.set()
        with self._changed:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.put(None)
        for thread in self._threads:
            thread.join()

    def _enqueue(self, delivery: Delivery) -> None:
        with self._changed:
            if self._stopping.is_set():
                return
            self.deliveries.append(delivery)
            key = (delivery.subscription.id, delivery.lane)
            if key not in self._lanes:
                self._lanes[key] = queue.Queue()
                thread = threading.Thread(target=self._work, args=(self._lanes[key],), name="pagerduty-webhooks", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._lanes[key].put(delivery)

    def _work(self, lane: "queue.Queue[Delivery | None]") -> None:
        while (delivery := lane.get()) is not None and not self._stopping.is_set():
            self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        """Attempt until delivered, dropped, or stopped."""
        pause = self._pauses.first_s
        subscription = delivery.subscription
        while not (subscription.temporarily_disabled or subscription.removed):
            outcome = self._post(delivery)
            with self._changed:
                delivery.attempts.append(outcome)
                if isinstance(outcome, int) and outcome < 500 and outcome != 429:
                    self._close(delivery, delivered=200 <= outcome < 300)
                    return
            if self._stopping.wait(pause):
                return
            pause = min(self._pauses.most_s, pause * 2)
        with self._changed:
            delivery.state = DeliveryState.DROPPED
            self._changed.notify_all()

    def _close(self, delivery: Delivery, *, delivered: bool) -> None:
        """Count drops; the third in a row disables the subscription."""
        subscription = delivery.subscription
        delivery.state = DeliveryState.DELIVERED if delivered else DeliveryState.DROPPED
        subscription.drops_in_a_row = 0 if delivered else subscription.drops_in_a_row + 1
        subscription.temporarily_disabled = subscription.temporarily_disabled or subscription.drops_in_a_row >= 3
        self._changed.notify_all()

    def _post(self, delivery: Delivery) -> int | str:
        """One attempt: the status, or the name of what went wrong."""
        subscription = delivery.subscription
        target = urlsplit(subscription.url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(target.hostname or "", target.port, timeout=self._pauses.timeout_s)
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": "PagerDuty-Webhook/V3.0",
            "x-pagerduty-signature": signature(subscription.secrets, delivery.body),
            "x-webhook-subscription": subscription.id,
            "x-webhook-id": delivery.id,
            **subscription.custom_headers,
        }
        try:
            connection.request("POST", target.path or "/", delivery.body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        else:
            return response.status
        finally:
            connection.close()
