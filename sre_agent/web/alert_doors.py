"""The alert doors besides PagerDuty's, by path: Alertmanager, Opsgenie, Jira Service Management, signed webhooks."""

from collections.abc import Mapping

from starlette.types import ASGIApp

from sre_agent.intake.signatures import SCHEMES
from sre_agent.web import alertmanager, opsgenie, signed
from sre_agent.web.ports import AlertDoors, WebPorts


def doors(ports: WebPorts, keys: AlertDoors) -> Mapping[str, ASGIApp]:
    """Every one of them: a door without a secret answers 503 and says what to set."""
    return {
        alertmanager.PATH: alertmanager.alertmanager(ports, keys),
        opsgenie.PATH_OPSGENIE: opsgenie.opsgenie(ports, keys),
        opsgenie.PATH_JSM: opsgenie.jsm(ports, keys),
        **{signed.PREFIX + sender: signed.signed(ports, keys, sender) for sender in SCHEMES},
    }
