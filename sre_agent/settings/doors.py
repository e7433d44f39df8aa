"""The settings of the alert doors besides PagerDuty's: Alertmanager, Opsgenie, Jira Service Management, signed webhooks."""

from pydantic_settings import BaseSettings

from sre_agent.settings.setting import Names, Secret, Secrets, Url, env


class DoorSettings(BaseSettings):
    """A part of `effective.Settings`, which is what the rest of the agent sees."""

    # doors
    alertmanager_door_token: Secret = env(
        "SRE_AGENT_ALERTMANAGER_TOKEN",
        None,
        "bearer token that Alertmanager shows at /webhooks/alertmanager",
        "Alertmanager signs nothing; without a token its door stays shut.",
    )
    opsgenie_door_token: Secret = env(
        "SRE_AGENT_OPSGENIE_TOKEN",
        None,
        "what Opsgenie sends in the header X-SRE-Agent-Token to /webhooks/opsgenie",
        "Opsgenie signs nothing; without a token its door stays shut.",
    )
    jsm_door_token: Secret = env(
        "SRE_AGENT_JSM_TOKEN",
        None,
        "what Jira Service Management sends in the header X-SRE-Agent-Token to /webhooks/jsm",
        "A token of its own, so that one door can be shut without the other while you migrate.",
    )
    webhook_signing_secrets: Secrets = env(
        "SRE_AGENT_WEBHOOK_SIGNING_SECRETS",
        {},
        "signing secrets of the senders at /webhooks/signed/",
        "A sender without one gets 503. Senders: incident.io, rootly, firehydrant.",
        'JSON {"<sender>": "<secret>"}',
    )
    opsgenie_api_key: Secret = env(
        "OPSGENIE_API_KEY",
        None,
        "key of an Opsgenie API integration",
        "Webhooks carry no labels to believe; without it nothing of Opsgenie's is classified. Rights: read, create and update.",
    )
    opsgenie_api_url: Url = env(
        "OPSGENIE_API_URL", "https://api.opsgenie.com", "REST address", "https://api.eu.opsgenie.com for the EU region.", "URL"
    )
    opsgenie_teams: Names = env(
        "OPSGENIE_TEAMS",
        {},
        "team (id or name) of each receiver of routing.yaml, to hand alerts over to",
        "Unset: alerts stay with whom Opsgenie gave them.",
        'JSON {"<receiver>": "<team>"}',
    )
    jsm_cloud_id: str | None = env(
        "JSM_CLOUD_ID",
        None,
        "cloud id of the Jira site",
        "Goes with JSM_EMAIL and JSM_API_TOKEN. https://<site>.atlassian.net/_edge/tenant_info tells it.",
    )
    jsm_email: str | None = env("JSM_EMAIL", None, "user whose name stands on notes", "Make it a bot of its own.")
    jsm_api_token: Secret = env("JSM_API_TOKEN", None, "API token of JSM_EMAIL", "Goes with JSM_CLOUD_ID and JSM_EMAIL.")
    jsm_api_url: Url = env(
        "JSM_API_URL",
        "https://api.atlassian.com/jsm/ops/api",
        "REST address of JSM Operations",
        "The same for every region.",
        "URL",
    )
    jsm_teams: Names = env(
        "JSM_TEAMS",
        {},
        "team id of each receiver of routing.yaml, to hand alerts over to",
        "Unset: alerts stay with whom JSM gave them.",
        'JSON {"<receiver>": "<team id>"}',
    )
