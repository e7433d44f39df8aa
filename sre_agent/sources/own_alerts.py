"""The incident's own alerts as evidence: what they claim, where no Prometheus or Alertmanager is asked. Asks nobody."""

from sre_agent.evidence.alert_state import OWN_ALERTS, own_alerts
from sre_agent.evidence.evidence import Evidence, EvidenceKind
from sre_agent.evidence.source import Scope


class OwnAlertsSource:
    """EvidenceSource over what PagerDuty already told. It corroborates nothing: it is the alert's own claim."""

    name = OWN_ALERTS
    kind = EvidenceKind.ALERT

    async def gather(self, scope: Scope) -> tuple[Evidence, ...]:
        """One ALERT evidence with the firing alerts; () when none fires."""
        return own_alerts(scope)
