"""The alert doors as they are wired: secrets from settings, groups from the shipped routing file."""

from sre_agent.settings import fixed
from sre_agent.wiring.alert_doors import alert_doors
from sre_agent.wiring.brain import load_books

SECRETS = {
    "SRE_AGENT_ALERTMANAGER_TOKEN": "am",
    "SRE_AGENT_OPSGENIE_TOKEN": "og",
    "OPSGENIE_API_KEY": "k",
    "SRE_AGENT_WEBHOOK_SIGNING_SECRETS": '{"rootly": "ro"}',
}


def test_secrets_reach_their_doors_and_tools_are_grouped_by_name() -> None:
    settings = fixed(SECRETS)
    books = load_books(settings.policies_dir, None, settings.runbooks_dir)
    doors = alert_doors(settings, books.bundle.declared.ownership)
    assert (doors.alertmanager_token, doors.opsgenie_token, doors.jsm_token) == ("am", "og", "")
    assert doors.signing_secrets == {"rootly": "ro"}
    crm, calendar = ({"alert_type": "tool", "tool_name": name} for name in ("crm", "calendar"))
    assert doors.group_of(crm) == doors.group_of({**crm, "pod": "x"}) != doors.group_of(calendar)
    assert not any(secret in repr(doors) for secret in ("am'", "'og'", "'ro'"))
