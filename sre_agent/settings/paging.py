"""The settings of what wakes and tells people where no other system has: Events v2, e-mail, status pages."""

from pydantic_settings import BaseSettings

from sre_agent.settings.setting import Names, Secret, Secrets, Url, env


class PagingSettings(BaseSettings):
    """A part of `effective.Settings`, which is what the rest of the agent sees."""

    # paging
    pagerduty_routing_keys: Secrets = env(
        "PAGERDUTY_ROUTING_KEYS",
        {},
        "Events v2 routing key of each receiver of routing.yaml",
        "Behind the doors of Alertmanager, Opsgenie and JSM the agent pages with them; without one that receiver cannot be paged.",
        'JSON {"<receiver>": "<routing key>"}',
    )
    pagerduty_events_url: Url = env(
        "PAGERDUTY_EVENTS_URL",
        "https://events.pagerduty.com",
        "Events v2 address",
        "https://events.eu.pagerduty.com for the EU region.",
        "URL",
    )
    smtp_url: Secret = env(
        "SRE_AGENT_SMTP_URL",
        None,
        "mail server",
        "Takes what wakes nobody to the addresses under `emails` in routing.yaml; unset: nothing can be mailed.",
        "smtps://user:password@host:465, smtp+starttls://user:password@host:587, smtp://host:25",
    )
    mail_from: str | None = env("SRE_AGENT_MAIL_FROM", None, "address that mails come from", "Goes with SRE_AGENT_SMTP_URL.")

    # status pages
    statuspage_api_key: Secret = env(
        "STATUSPAGE_API_KEY",
        None,
        "API key of Statuspage",
        "Only `sre-agent status-page publish` uses it, run by a person; unset: updates are drafted and published by hand.",
    )
    statuspage_pages: Names = env(
        "STATUSPAGE_PAGES",
        {},
        "page of each audience (public, private, aggregate)",
        "An audience without a page cannot be told from here.",
        'JSON {"<audience>": "<page id>"}',
    )
    statuspage_api_url: Url = env(
        "STATUSPAGE_API_URL", "https://api.statuspage.io", "address of Statuspage's API", "A stand-in's address in tests.", "URL"
    )
