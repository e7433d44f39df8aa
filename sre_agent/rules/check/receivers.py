"""Receivers: one service per team, and a door of the agent that lets it in and tells it when things are over."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from sre_agent.rules.document import Mapping, Scalar
from sre_agent.rules.finding import Check, Edit, Finding, Fix, Severity
from sre_agent.rules.owner import AGENT_PATH
from sre_agent.rules.subject import Subject
from sre_agent.rules.tree import Receiver, Route, Tree

SERVICE_PER_ALERT: Final = Check("SRA209", "service-per-alert", Severity.WARNING, "One PagerDuty service for each alert")
SHARED_KEY: Final = Check("SRA210", "shared-key", Severity.WARNING, "Several receivers share one routing key")
NOT_RESOLVED: Final = Check("SRA211", "resolved-not-sent", Severity.ERROR, "The agent is not told when an alert is over")
OPEN_WEBHOOK: Final = Check("SRA212", "webhook-without-authorization", Severity.WARNING, "A webhook without authorization")
SAME_NAME: Final = Check("SRA216", "receiver-twice", Severity.ERROR, "Two receivers have the same name")

CHECKS: Final = (SERVICE_PER_ALERT, SHARED_KEY, NOT_RESOLVED, OPEN_WEBHOOK, SAME_NAME)

FEW: Final = 3
"""So many services for single alerts are a habit; fewer may have their reason."""
_KEYS: Final = ("routing_key", "service_key", "routing_key_file", "service_key_file")
_AUTHORIZED: Final = ("authorization", "basic_auth", "oauth2", "bearer_token", "bearer_token_file")
_NO: Final = frozenset({"false", "no", "off"})


def findings(subject: Subject) -> Iterator[Finding]:
    """What is wrong with the receivers of every tree."""
    for tree in subject.trees:
        yield from _per_alert(tree)
        yield from _shared(tree)
        yield from _names(tree)
        for receiver in tree.receivers:
            yield from _webhooks(receiver, tree)


def _keys(receiver: Receiver) -> set[str]:
    """Its PagerDuty keys as they stand; blanked and templated ones tell nothing. SAFETY: they are compared, never shown."""
    said = {config.text(key).strip() for config in receiver.integrations("pagerduty_configs") for key in _KEYS}
    return {key for key in said if key and not key.startswith(("<", "$")) and "{{" not in key}


def _per_alert(tree: Tree) -> Iterator[Finding]:
    leading = defaultdict[str, list[Route]](list)
    for route in tree.routes():
        leading[route.receiver].append(route)
    single = [r for r in tree.receivers if _keys(r) and leading[r.name] and all(_for_one_alert(x) for x in leading[r.name])]
    if len({key for receiver in single for key in _keys(receiver)}) >= FEW:
        names = ", ".join(receiver.name for receiver in single[:6])
        why = f"{len(single)} receivers have a PagerDuty service each, for one alert each ({names})"
        todo = "make one service per team, and route by alert_type and team to it"
        yield SERVICE_PER_ALERT.at(tree.document.path, single[0].place, why, todo)


def _for_one_alert(route: Route) -> bool:
    """The route is for one alertname, and for nothing else."""
    names = {one.name for one in route.matchers}
    return names == {"alertname"} and all(one.operator == "=" for one in route.matchers)


def _shared(tree: Tree) -> Iterator[Finding]:
    first = dict[str, Receiver]()
    for receiver in tree.receivers:
        for key in sorted(_keys(receiver)):
            other = first.setdefault(key, receiver)
            if other is not receiver:
                why = f"{receiver.name} and {other.name} (line {other.place.line}) have the same routing key: they are one service"
                todo = "give each team a service of its own, or use one receiver"
                yield SHARED_KEY.at(tree.document.path, receiver.place, why, todo)
                break


def _names(tree: Tree) -> Iterator[Finding]:
    first = dict[str, Receiver]()
    for receiver in tree.receivers:
        other = first.setdefault(receiver.name, receiver)
        if other is not receiver:
            why = f"the receiver {receiver.name!r} stands on line {other.place.line} already, and the whole file is refused"
            yield SAME_NAME.at(tree.document.path, receiver.place, why, "rename one, or put their integrations together")


def _webhooks(receiver: Receiver, tree: Tree) -> Iterator[Finding]:
    path = tree.document.path
    for config in receiver.integrations("webhook_configs"):
        agents = AGENT_PATH in config.text("url")
        place = config.place
        resolved = config.get("send_resolved")
        if agents and isinstance(resolved, Scalar) and resolved.text.casefold() in _NO:
            why = "without resolved alerts no hold of the agent ends early, and no page that it sent is ever closed"
            fix = Fix("send_resolved: true", (Edit(resolved.place.start, resolved.place.end, "true"),))
            yield NOT_RESOLVED.at(path, resolved.place, why, "write send_resolved: true, which is the default", fix)
        if _authorized(config, tree):
            continue
        todo = "add http_config: {authorization: {credentials_file: ...}}"
        if agents:
            why = "the agent's door wants a bearer token, and turns away every delivery of this webhook"
            yield OPEN_WEBHOOK.at(path, place, why, todo).as_(Severity.ERROR)
        elif config.text("url"):
            why = "whoever finds this address can send it alerts of their own"
            yield OPEN_WEBHOOK.at(path, place, why, f"{todo}, or keep the address secret with url_file")


def _authorized(config: Mapping, tree: Tree) -> bool:
    """It, or the configuration as a whole, says how to prove who sends."""
    top = tree.config.mapping("global")
    found = (config.mapping("http_config"), top.mapping("http_config") if top is not None else None)
    own = next((http for http in found if http is not None), None)
    if own is None:
        return False
    tls = own.mapping("tls_config")
    return any(own.get(key) is not None for key in _AUTHORIZED) or (tls is not None and tls.get("cert_file") is not None)
