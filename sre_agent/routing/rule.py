"""The rules of routing by their ids, in the order of their precedence: class safety, vertical severity, tier, noise."""

from typing import Final

RULES: Final[dict[str, str]] = {
    "class-infra": "every alert is exactly alert_type=infra: the platform, at once",
    "class-model": "every alert is exactly alert_type=model: the AI engineers, or who owns the prompt; never acted on",
    "class-tool": "every alert is exactly alert_type=tool: who owns the integration that tool_name names; never acted on",
    "class-mixed": "the alerts of one incident disagree about their class: the default receiver; never acted on",
    "class-unknown": "no alert says exactly infra, model or tool: the default receiver; never acted on",
    "route": "a route of routing.yaml names the receiver",
    "route-refused": "a route leads to another class' receiver: it is ignored",
    "nothing-fires": "nothing fires (any more): nobody is woken",
    "already-paged": "people were told of this incident: nobody is woken twice",
    "already-mailed": "an e-mail went out for this incident: it is not sent twice",
    "escalation-raised": "an incident became worse after its page: who was not told yet is paged, nobody else again",
    "vertical-objective": "the vertical's own objective decides, whatever tier and noise rules say",
    "tier-email": "the customers' plan allows an e-mail only",
    "tier-business-hours": "the customers' plan lets people be woken in business hours: the next opening is waited for",
    "tier-never-opens": "business hours that never begin: an e-mail instead of a page",
    "cost-digest": "cost alerts wait for one digest",
    "cost-page": "a cost alert exceeds the ratio to its baseline above which it pages",
    "severity-ticket": "its rule asks for a ticket (severity: ticket): an e-mail, nobody is woken",
    "noise-hold": "what may recover by itself is held for a while",
    "noise-flapping": "what begins again and again is told once, while it does",
    "escalation": "an escalation tells others besides the receiver",
}
"""Id -> what it says, in one line. An id may be followed by `:name` of what in routing.yaml made it hold."""
