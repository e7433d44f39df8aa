"""What the alert doors need, from settings and books: the secret of each, and how the routing file groups alerts."""

from functools import partial

from pydantic import SecretStr

from sre_agent.routing.file import Routing
from sre_agent.routing.group import group_of
from sre_agent.settings import Settings
from sre_agent.web.ports import AlertDoors


def alert_doors(settings: Settings, routing: Routing) -> AlertDoors:
    """The doors' secrets; "" where none is set, which leaves that door shut."""
    return AlertDoors(
        group_of=partial(group_of, routing=routing),
        alertmanager_token=_said(settings.alertmanager_door_token),
        opsgenie_token=_said(settings.opsgenie_door_token),
        jsm_token=_said(settings.jsm_door_token),
        signing_secrets={sender: secret.get_secret_value() for sender, secret in settings.webhook_signing_secrets.items()},
    )


def _said(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
