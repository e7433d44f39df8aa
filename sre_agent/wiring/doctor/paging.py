"""Whether everybody whom the agent itself may have to wake can be woken. Nothing is sent to find out."""

from collections.abc import Iterator

from sre_agent.adapters.pagerduty.events import ROUTING_KEY
from sre_agent.routing.file import Routing
from sre_agent.settings import Settings
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, skipped, together, warning
from sre_agent.wiring.pager import mailer


async def _keys(connections: Connections) -> Seen:
    settings = connections.settings
    if not settings.pagerduty_routing_keys and not pages(settings):
        return skipped("no door is open at which the agent itself pages")
    routing = (await connections.books()).bundle.declared.ownership
    return together(_judged_keys(settings, routing))


def pages(settings: Settings) -> bool:
    """Whether a door is open behind which nothing else has paged."""
    return bool(settings.alertmanager_door_token or settings.opsgenie_door_token or settings.jsm_door_token)


def _judged_keys(settings: Settings, routing: Routing) -> Iterator[Seen]:
    keys = {name: key.get_secret_value().strip() for name, key in settings.pagerduty_routing_keys.items()}
    receivers = sorted({*routing.receivers, routing.default_receiver})
    missing = [r for r in receivers if not keys.get(r)]
    if missing:
        judge = broken if pages(settings) else warning
        yield judge(
            f"no routing key for {listed(missing)}: whoever is behind it cannot be paged",
            "Add an Events API v2 integration to that receiver's service, and its key to PAGERDUTY_ROUTING_KEYS.",
        )
    wrong = [r for r in receivers if keys.get(r) and not ROUTING_KEY.fullmatch(keys[r])]
    if wrong:
        yield broken(
            f"what is given for {listed(wrong)} is no routing key: it has not 32 letters and digits",
            "Copy the integration key of an Events API v2 integration; a REST API key does not page.",
        )
    shared = sorted({r for r in receivers if keys.get(r) and list(keys.values()).count(keys[r]) > 1})
    if shared:
        yield warning(f"{listed(shared)} share a routing key", "Give each team a service, and each service its own key.")
    told = _told_by_escalations(routing)
    unreached = sorted(name for name in told - set(receivers) if not keys.get(name))
    if unreached:
        yield warning(
            f"no routing key for {listed(unreached)}, whom an escalation names",
            "Add a key for that name.",
        )
    strangers = sorted(set(keys) - set(receivers) - told)
    if strangers:
        yield warning(f"routing keys for {listed(strangers)}, which routing.yaml does not know", "Correct the name.")
    yield ok(f"{len(receivers)} receivers have a routing key")


async def _mail(connections: Connections) -> Seen:
    routing = (await connections.books()).bundle.declared.ownership
    post = mailer(connections.settings, routing)
    if post is None and routing.emails:
        return warning(
            f"routing.yaml has addresses for {listed(sorted(routing.emails))}, and no mail server is set",
            "Set SRE_AGENT_SMTP_URL and SRE_AGENT_MAIL_FROM.",
        )
    if post is None:
        return skipped("no mail server is set, and routing.yaml has no addresses")
    await post.look()
    if not routing.emails:
        return warning("the mail server takes mail, and routing.yaml has no addresses", "Write them under `emails`.")
    return ok(f"the mail server takes mail for {listed(sorted(routing.emails))}")


def _told_by_escalations(routing: Routing) -> set[str]:
    """Names at which escalations end."""
    return {name for escalation in routing.escalations for name in escalation.to} - {e.id for e in routing.escalations}


CHECKS = (
    Check(
        "paging",
        "routing_keys",
        "Every receiver of routing.yaml has a routing key of its own.",
        _keys,
        "Correct PAGERDUTY_ROUTING_KEYS.",
        about=("PAGERDUTY_ROUTING_KEYS", "PAGERDUTY_EVENTS_URL"),
        after="settings.policies",
        books=True,
    ),
    Check(
        "paging",
        "mail",
        "The mail server lets us in, and there are addresses to mail to. Nothing is sent.",
        _mail,
        "Correct SRE_AGENT_SMTP_URL, or look at the mail server.",
        about=("SRE_AGENT_SMTP_URL", "SRE_AGENT_MAIL_FROM"),
        after="settings.policies",
        books=True,
    ),
)
