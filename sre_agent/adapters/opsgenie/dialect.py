"""What differs between Opsgenie's and JSM Operations' REST APIs.

Source: Opsgenie REST API, "Alert API"; Jira Service Management Cloud REST API, "Operations: Alerts".
"""

import re
from dataclasses import dataclass
from typing import Final

from sre_agent.incident.errors import ConfigurationError

_TEAM_ID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_CLOUD_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(frozen=True)
class Dialect:
    """`alerts` is the path of the collection, `one` and `many` the keys that an alert and a list are inside ("": at the top).

    `labels_in` is the key of an alert's labels, `link` the address of its page with `{id}` in it, `settings` what to look at when
    the key is refused. `wrapped`: a responder stands inside "responder", may be named, and says who adds it.
    """

    name: str
    alerts: str
    one: str
    many: str
    labels_in: str
    link: str
    settings: str
    wrapped: bool

    def team(self, team: str, user: str) -> dict[str, object]:
        """The body that adds a team. Raises ConfigurationError for a name where only ids are taken."""
        by_id = is_team_id(team)
        if self.wrapped:
            return {"responder": {"type": "team", "id" if by_id else "name": team}, "user": user, "source": user}
        if not by_id:
            raise ConfigurationError(
                f"{self.name} takes teams by id, and {team!r} is none; copy it from the team's address into JSM_TEAMS"
            )
        return {"type": "team", "id": team}


def is_team_id(team: str) -> bool:
    """Whether it is a team's id, and not a name."""
    return _TEAM_ID.fullmatch(team) is not None


def opsgenie(api_url: str) -> Dialect:
    """Opsgenie's."""
    app = "https://app.eu.opsgenie.com" if ".eu." in api_url else "https://app.opsgenie.com"
    return Dialect(
        name="Opsgenie",
        alerts="/v2/alerts",
        one="data",
        many="data",
        labels_in="details",
        link=app + "/alert/detail/{id}/details",
        settings="OPSGENIE_API_KEY (read, create and update access) and OPSGENIE_API_URL (the region's)",
        wrapped=True,
    )


def jsm(cloud_id: str) -> Dialect:
    """JSM Operations'. Raises ConfigurationError for a cloud id that is none: it goes into every path."""
    if not _CLOUD_ID.fullmatch(cloud_id):
        raise ConfigurationError("JSM_CLOUD_ID is not a cloud id; https://<site>.atlassian.net/_edge/tenant_info tells it")
    return Dialect(
        name="JSM",
        alerts=f"/{cloud_id}/v1/alerts",
        one="",
        many="values",
        labels_in="extraProperties",
        link="",
        settings="JSM_EMAIL, JSM_API_TOKEN, JSM_CLOUD_ID, and that the user may see the team's operations",
        wrapped=False,
    )
