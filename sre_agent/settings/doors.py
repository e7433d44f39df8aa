"""The settings of the alert doors besides PagerDuty's: Alertmanager, Opsgenie, Jira Service Management, generic webhooks."""

from pydantic_settings import BaseSettings

from sre_agent.settings.setting import Secret, env


class DoorSettings(BaseSettings):
    """A part of `effective.Settings`, which is what the rest of the agent sees."""

    # doors
    alertmanager_door_token: Secret = env(
        "SRE_AGENT_ALERTMANAGER_TOKEN",
        None,
        "bearer token that Alertmanager shows at /webhooks/alertmanager",
        "Alertmanager signs nothing; without a token its door stays shut.",
    )
