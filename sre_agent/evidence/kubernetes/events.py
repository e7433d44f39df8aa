"""The events of each object, found by kind, namespace and name. Pure.

Both shapes are read: core/v1 (involvedObject, message) and events.k8s.io/v1 (regarding, note).
https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from collections.abc import Iterable
from datetime import datetime

from sre_agent.evidence.kubernetes.state import JsonObject, instant, number, text

MOST_SAID = 2_000
Told = list[tuple[str, JsonObject]]
"""(evidence id, event) pairs."""


class ObjectEvents:
    """Events by the object they are about. Build it once: many objects ask."""

    def __init__(self, events: Iterable[tuple[str, JsonObject]]) -> None:
        self._by_name: dict[tuple[str, str, str], Told] = {}
        for evidence_id, event in events:
            about = subject(event)
            key = (text(about, "kind"), text(about, "namespace"), text(about, "name"))
            self._by_name.setdefault(key, []).append((evidence_id, event))

    def about(self, item: JsonObject, *reasons: str) -> Told:
        """The events about this object (same uid, where both are given), of these reasons only when any are named."""
        kind, uid = text(item, "kind"), text(item, "metadata", "uid")
        name, namespace = text(item, "metadata", "name"), text(item, "metadata", "namespace")
        keys = dict.fromkeys(((kind, namespace, name), (kind, "", name)))
        found = [pair for key in keys for pair in self._by_name.get(key, ())]
        # Events about a node carry the node's name as uid on many clusters.
        same = [(i, e) for i, e in found if not uid or text(subject(e), "uid") in ("", uid, name)]
        return [(i, e) for i, e in same if not reasons or text(e, "reason") in reasons]


def subject(event: JsonObject) -> JsonObject:
    """What an event is about."""
    about = event.get("involvedObject") or event.get("regarding")
    return about if isinstance(about, dict) else {}


def message(event: JsonObject) -> str:
    """What an event says, or "", cut to MOST_SAID characters: the API server takes 1,024, a case file anything."""
    return (text(event, "message") or text(event, "note"))[:MOST_SAID]


def event_time(event: JsonObject) -> datetime | None:
    """When an event was last seen, in whichever of its three places the time is."""
    series = event.get("series")
    return instant(event.get("lastTimestamp")) or instant(text(series, "lastObservedTime")) or instant(event.get("eventTime"))


def event_count(event: JsonObject) -> int:
    """How often it was seen."""
    return max(1, number(event, "count"), number(event, "series", "count"))


def first_seen(event: JsonObject) -> datetime | None:
    """When an event was first seen."""
    return instant(event.get("firstTimestamp")) or instant(event.get("deprecatedFirstTimestamp")) or last_seen(event)


def last_seen(event: JsonObject) -> datetime | None:
    """When an event was last seen."""
    return event_time(event) or instant(event.get("deprecatedLastTimestamp"))


def times_seen(told: Told) -> int:
    """How often these events were seen, together."""
    return sum(max(event_count(e), number(e, "deprecatedCount")) for _, e in told)


def newest_first(told: Told) -> Told:
    """The same, the last seen first; those without a time last."""
    return sorted(told, key=lambda pair: seen.timestamp() if (seen := last_seen(pair[1])) else 0.0, reverse=True)


def ids(*told: Told) -> list[str]:
    """The evidence ids of these, in order."""
    return [i for each in told for i, _ in each]
