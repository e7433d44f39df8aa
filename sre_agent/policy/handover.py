"""What is set on an incident that is handed back, besides its escalation policy and its note, as declared per class.

Names only: which fact goes into which field. The facts themselves are a closed list, so that nothing an alert or a log
says can be sent anywhere by way of this file.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, RootModel

from sre_agent.incident.alert import AlertClass
from sre_agent.policy.declarations import Problem


class HandoverFact(StrEnum):
    """Everything a custom field may be given. `cause` is the kind of the first cause; `page` the incident's own page."""

    CLASS = "class"
    VERDICT = "verdict"
    OWNER = "owner"
    CAUSE = "cause"
    RUNBOOK = "runbook"
    APPROVED_BY = "approved_by"
    PAGE = "page"


class Handover(BaseModel):
    """What one class of incident gets. As shipped, and for a class that is not listed: nothing.

    `priority` is the name of a PagerDuty priority; `custom_fields` maps a custom field's name to the fact it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    priority: str | None = None
    custom_fields: dict[str, HandoverFact] = {}
    status_update: bool = False


class Handovers(RootModel[dict[AlertClass, Handover]]):
    """data/handback.yaml: class to what is set."""

    model_config = ConfigDict(frozen=True)

    root: dict[AlertClass, Handover] = {}

    def of(self, alert_class: AlertClass) -> Handover:
        """What an incident of this class gets."""
        return self.root.get(alert_class, Handover())

    def problems(self) -> Iterator[Problem]:
        """What the schema cannot say: names that PagerDuty can have."""
        for alert_class, told in self.root.items():
            if told.priority is not None and not told.priority.strip():
                yield Problem((alert_class.value, "priority"), "an empty priority; write its name, or leave it out")
            for name in told.custom_fields:
                if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,49}", name):
                    message = f"{name!r} is not the name of a custom field: letters, digits, underscores, 50 at most"
                    yield Problem((alert_class.value, "custom_fields", name), message)
