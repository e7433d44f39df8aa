"""PagerDuty: the key and whose it is, what it may read, the agent's own user, and whether webhooks reach us.

What the key may write is told by its user's role only: nothing is written to find out.
"""

import asyncio
from datetime import timedelta

from sre_agent.incident.errors import ConfigurationError
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, ago, broken, judged_skew, listed, ok, skipped, together, warning
from sre_agent.wiring.extension_plan import DOOR, same_address

WATCHERS = frozenset({"observer", "read_only_user", "read_only_limited_user", "restricted_access"})
"""Roles that may write nothing, or only where somebody gave them more."""
NICE = {
    "priorities": "breakers by priority see none, and hand-backs set none",
    "who is on call": "approvers cannot be narrowed to who is on call",
    "webhook subscriptions": "webhooks cannot be installed or checked from here",
}
"""What the agent can do without, and what is then missing. Anything else that cannot be read is broken."""
NOT_HEARD = "deliveries come to processes of role web"
QUIET = timedelta(days=7)


async def _token(connections: Connections) -> Seen:
    url = connections.settings.pagerduty_api_url or ""
    try:
        me = await (await connections.pagerduty()).me()
    except ConfigurationError as refused:
        other = "https://api.pagerduty.com" if ".eu." in url else "https://api.eu.pagerduty.com"
        return broken(
            str(refused),
            "Make a new REST API key (Integrations > API Access Keys). "
            f"Is the account in the other region? Then PAGERDUTY_API_URL is {other}.",
        )
    if me is None:
        return ok("accepted: a key of the whole account")
    return ok(f"accepted: the key of {me.name} ({me.id}, role {me.role or 'not told'})")


async def _sender(connections: Connections) -> Seen:
    found = await (await connections.pagerduty()).user(connections.settings.pagerduty_from_email or "")
    if found is None:
        return broken(
            "nobody in the account has this e-mail, so no note can be written",
            "Make a user for the agent, with the role Responder, and give its e-mail.",
        )
    if found.role in WATCHERS:
        return broken(
            f"{found.name} ({found.id}) has the role {found.role}, which may not write notes", "Give it the role Responder."
        )
    return ok(f"{found.name} ({found.id}, role {found.role or 'not told'})")


async def _rights(connections: Connections) -> Seen:
    from sre_agent.adapters.pagerduty.account import READABLE

    account = await connections.pagerduty()
    refused = await asyncio.gather(*(account.unreadable(what) for what in READABLE))
    needed = {*READABLE} - {*NICE} | ({"who is on call"} if connections.settings.approvers_on_call else set())
    lacking = {what: why for what, why in zip(READABLE, refused, strict=True) if why}
    seen = [
        broken(f"cannot read {what}: {why}", "Give the key read access (a full-access key, or the scope it lacks).")
        if what in needed
        else warning(f"cannot read {what}: {NICE[what]}", "Give the key this right, or leave it if the plan does not have it.")
        for what, why in lacking.items()
    ]
    return together([*seen, ok(f"can read {listed([w for w in READABLE if w not in lacking], 9)}")])


async def _subscription(connections: Connections) -> Seen:
    s = connections.settings
    from sre_agent.adapters.pagerduty.subscriptions import EVENTS

    url = f"{s.public_url}{DOOR}"
    ours = [found for found in await (await connections.pagerduty()).subscriptions() if same_address(found.url, url)]
    install = "Run `sre-agent pagerduty install`, or make a V3 webhook subscription that sends there."
    if not ours:
        return broken(f"no webhook subscription sends to {url}", install)
    seen, known_here = [], await connections.webhook_secrets()
    for target in ours:
        missing = sorted(set(EVENTS) - target.events) if target.events else []
        if target.disabled:
            again = "Find out why deliveries were refused (secret, proxy), then enable it: `sre-agent pagerduty install` does."
            seen.append(broken(f"{target.id} is disabled for a day, because three deliveries in a row were refused", again))
        elif not target.active:
            seen.append(broken(f"{target.id} is switched off", "Switch it on in PagerDuty (Integrations > Generic Webhooks)."))
        elif missing:
            seen.append(warning(f"{target.id} does not send {listed(missing)}", "Add these events to the subscription."))
        elif connections.terms.hears and not {target.id, ""} & set(known_here):
            known = "Add it to PAGERDUTY_WEBHOOK_SECRETS; when it is lost: `sre-agent pagerduty install --recreate`."
            seen.append(broken(f"the signing secret of {target.id} is not known here: its deliveries get 503", known))
        else:
            seen.append(ok(f"{target.id} sends here" + (", and its secret is known" if connections.terms.hears else "")))
    return together(seen)


async def _secret(connections: Connections) -> Seen:
    if not connections.terms.hears:
        return skipped(NOT_HEARD)
    known = await connections.webhook_secrets()
    if not known:
        return broken(
            "no signing secret is known: every delivery gets 503, and PagerDuty repeats it for two days",
            "Run `sre-agent pagerduty install`, or set PAGERDUTY_WEBHOOK_SECRET.",
        )
    return ok(f"{len(known)} signing {'secret is' if len(known) == 1 else 'secrets are'} known")


async def _heard(connections: Connections) -> Seen:
    from sre_agent.adapters.postgres.condition import heard

    found = await heard(await connections.database(), "pagerduty")
    if found.anything is None:
        return warning(
            "no delivery was ever heard", "Send a ping (`sre-agent pagerduty install` does): it has to show up here within seconds."
        )
    quiet = found.now - found.anything
    ping = f", last ping {ago((found.now - found.ping).total_seconds())} ago" if found.ping else ""
    said = f"last delivery {ago(quiet.total_seconds())} ago{ping}"
    if quiet > QUIET:
        return warning(f"{said}; that is a long silence", "Send a ping, and look at the subscription in PagerDuty.")
    return ok(said)


async def _policies(connections: Connections) -> Seen:
    receivers = (await connections.books()).bundle.declared.ownership.receivers
    named = {identity: receiver for receiver, identity in receivers.items() if identity}
    if not named:
        return warning("routing.yaml names no escalation policy: nothing is ever handed over", "See settings.routing.")
    account = await connections.pagerduty()
    wrong = await asyncio.gather(*(account.lacks_policy(identity) for identity in named))
    todo = "Correct the id in routing.yaml: PagerDuty shows it in the address of the escalation policy's page."
    seen = [broken(f"{named[i]}: {i}: {why}", todo) for i, why in zip(named, wrong, strict=True) if why]
    return together([*seen, ok(f"{len(named)} escalation {'policy exists' if len(named) == 1 else 'policies exist'}")])


async def _clock(connections: Connections) -> Seen:
    account = await connections.pagerduty()
    before = connections.now
    told = await account.clock()
    if told is None:
        return warning("PagerDuty's answer has no date", "Is there a proxy between? It should leave headers alone.")
    middle = before + (connections.now - before) / 2
    return judged_skew((told + timedelta(seconds=0.5) - middle).total_seconds(), "PagerDuty")  # it is cut to whole seconds


async def _button(connections: Connections) -> Seen:
    token = connections.settings.pagerduty_action_token
    if token is None or len(token.get_secret_value()) < 20:
        return warning("the token of the Investigate button is short enough to be guessed", "Use at least 20 random characters.")
    return ok("the Investigate button has a token")


_KEY, _URL, _FROM, _PUBLIC = "PAGERDUTY_API_TOKEN", "PAGERDUTY_API_URL", "PAGERDUTY_FROM_EMAIL", "SRE_AGENT_PUBLIC_URL"
_ANSWERS = "pagerduty.token"
_ASK = "Look at status.pagerduty.com and the network from here to PAGERDUTY_API_URL, then ask again."
_FILE = "Correct the file of secrets; `sre-agent pagerduty install` writes it."
_SECRETS = ("PAGERDUTY_WEBHOOK_SECRET", "PAGERDUTY_WEBHOOK_SECRETS", "SRE_AGENT_WEBHOOK_SECRETS_FILE")
CHECKS = (
    Check("pagerduty", "token", "The REST key is accepted, and whose it is.", _token, _ASK, needs=(_KEY,), about=(_URL,)),
    Check("pagerduty", "from_user", "The From address is a user who may write.", _sender, _ASK, (_KEY, _FROM), after=_ANSWERS),
    Check("pagerduty", "rights", "All that the agent reads can be read.", _rights, _ASK, (_KEY,), after=_ANSWERS),
    Check("pagerduty", "policies", "Policies of routing.yaml exist.", _policies, _ASK, (_KEY,), after=_ANSWERS, books=True),
    Check("pagerduty", "clock", "PagerDuty's clock and this machine's agree.", _clock, _ASK, (_KEY,), after=_ANSWERS),
    Check("pagerduty", "secret", "Deliveries can be verified.", _secret, _FILE, about=_SECRETS),
    Check(
        "pagerduty",
        "subscription",
        "A webhook subscription sends to our public address, is on, and its secret is known.",
        _subscription,
        _ASK,
        needs=(_KEY, _PUBLIC),
        about=_SECRETS,
        after=_ANSWERS,
    ),
    Check("pagerduty", "heard", "When the last delivery and the last ping came.", _heard, _ASK, after="database.schema"),
    Check(
        "pagerduty", "button", "The Investigate button's token is long enough.", _button, _ASK, needs=("PAGERDUTY_ACTION_TOKEN",)
    ),
)
