"""The settings of the doors through which people take part: PagerDuty's buttons, Slack, and the pages."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from sre_agent.settings.setting import Networks, Seconds, Secret, Url, env


class PeopleSettings(BaseSettings):
    """A part of `effective.Settings`, which is what the rest of the agent sees."""

    # PagerDuty's doors
    webhook_secrets_file: Path | None = env(
        "SRE_AGENT_WEBHOOK_SECRETS_FILE",
        None,
        "where `sre-agent pagerduty install` keeps signing secrets and the doors read them",
        "Unset: pagerduty-webhook-secrets.json in SRE_AGENT_DATA_DIR. Read again when it changes, so rotation needs no restart.",
        "file",
    )
    pagerduty_action_token: Secret = env(
        "PAGERDUTY_ACTION_TOKEN",
        None,
        "what the Custom Incident Action sends in the header X-SRE-Agent-Token",
        "PagerDuty does not sign these; without a token the button's door stays shut.",
    )
    reconcile_every: Seconds = env(
        "SRE_AGENT_RECONCILE_EVERY",
        300.0,
        "how often open incidents are compared with those known here",
        "PagerDuty drops deliveries silently; nothing waits longer than this.",
        "seconds",
    )

    # Slack
    slack_bot_token: Secret = env("SLACK_BOT_TOKEN", None, "bot token (xoxb-)", "Unset: plans are asked about without Slack.")
    slack_signing_secret: Secret = env(
        "SLACK_SIGNING_SECRET", None, "signing secret of the app", "Without it, and without Socket Mode, every press is refused."
    )
    slack_app_token: Secret = env(
        "SLACK_APP_TOKEN",
        None,
        "app-level token (xapp-)",
        "Switches Socket Mode on: nothing has to reach the agent from outside.",
    )
    slack_channel: str | None = env(
        "SLACK_CHANNEL",
        None,
        "channel that plans are asked in",
        "The id (C...), not the name: a message is updated by the id only. Goes with the bot token.",
        "channel id",
    )
    slack_api_url: Url = env("SLACK_API_URL", "https://slack.com/api", "Slack's Web API", "A stand-in's address in tests.", "URL")
    slack_app_id: str | None = env(
        "SLACK_APP_ID", None, "the app's id (A...)", "Unset: learned from the bot token. A press from another app is refused."
    )
    slack_approver_group: str | None = env(
        "SLACK_APPROVER_GROUP",
        None,
        "user group (S...) whose members may approve",
        "Unset: teams and policies alone decide. It only narrows.",
        "user group id",
    )
    approvers_on_call: bool = env(
        "SRE_AGENT_APPROVERS_ON_CALL",
        False,
        "only who is on call in PagerDuty for the owner's escalation policy may approve",
        "Off: a team's members can help each other. It only narrows.",
        "true or false",
    )
    asks_per_hour: Annotated[int, Field(gt=0, le=1000)] = env(
        "SRE_AGENT_ASKS_PER_HOUR",
        6,
        "questions an hour that are put to people one by one",
        "Whoever is asked more often stops reading: beyond this, one digest and a page.",
        "questions",
    )

    # the pages
    session_key: Secret = env(
        "SRE_AGENT_SESSION_KEY",
        None,
        "key that signs sign-ins",
        "Unset makes one in SRE_AGENT_DATA_DIR at first start; several web processes need the same.",
    )
    oidc_issuer: Url = env(
        "SRE_AGENT_OIDC_ISSUER", None, "OpenID Connect issuer for signing in", "Unset: no sign-in by OIDC.", "URL"
    )
    oidc_client_id: str | None = env("SRE_AGENT_OIDC_CLIENT_ID", None, "client id at the issuer", "Goes with the issuer.")
    oidc_client_secret: Secret = env("SRE_AGENT_OIDC_CLIENT_SECRET", None, "client secret at the issuer", "Goes with the issuer.")
    trusted_proxies: Networks = env(
        "SRE_AGENT_TRUSTED_PROXIES",
        (),
        "networks whose requests carry a user checked by a proxy",
        "Unset: no header is believed. Only the proxy may be able to reach the agent from there.",
        "network,network,...",
    )
    proxy_user_header: str = env(
        "SRE_AGENT_PROXY_USER_HEADER",
        "X-Forwarded-Email",
        "header in which the proxy says who it is",
        "What oauth2-proxy sends. It is compared with `oidc` in teams.yaml.",
    )
