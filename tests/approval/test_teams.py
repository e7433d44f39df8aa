"""One person, many doors."""

import hashlib

import pytest

from sre_agent.approval.teams import Teams
from sre_agent.policy.people import NO_TOKEN, People

TOKEN = "ana's own random token"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
PEOPLE = People.model_validate(
    {
        "people": [
            {"id": "ana", "name": "Ana", "slack": "U1", "oidc": "ana@example.com", "cli_token_sha256": DIGEST},
            {"id": "ben", "name": "Ben", "slack": "U2", "pagerduty": "P2", "cli_token_sha256": NO_TOKEN},
            {"id": "cleo", "name": "Cleo"},
        ],
        "teams": {"platform": ["ana", "ben"], "oncall": ["ana"]},
    }
)
TEAMS = Teams(PEOPLE)


@pytest.mark.parametrize(("kind", "identity"), [("id", "ana"), ("slack", "U1"), ("oidc", "ana@example.com")])
def test_every_identity_leads_to_the_same_person(kind, identity) -> None:
    found = TEAMS.find(kind, identity)
    assert found is not None
    assert found.id == "ana"


@pytest.mark.parametrize(("kind", "identity"), [("slack", "U9"), ("slack", ""), ("pagerduty", "U2"), ("oidc", "ANA@example.com")])
def test_an_identity_nobody_has_leads_to_nobody(kind, identity) -> None:
    assert TEAMS.find(kind, identity) is None


def test_an_identity_that_two_people_have_leads_to_nobody() -> None:
    twice = PEOPLE.model_copy(update={"people": (*PEOPLE.people, PEOPLE.people[0].model_copy(update={"id": "eve"}))})
    assert Teams(twice).find("slack", "U1") is None


def test_a_token_proves_its_owner_and_nobody_else() -> None:
    assert TEAMS.proves("ana", TOKEN)
    assert not TEAMS.proves("ana", TOKEN + " ")
    assert not TEAMS.proves("ben", TOKEN)
    assert not TEAMS.proves("nobody", TOKEN)


@pytest.mark.parametrize("person", ["ben", "cleo", "nobody"])
@pytest.mark.parametrize("token", ["", NO_TOKEN, "ben", "\udcff"])
def test_who_has_no_token_cannot_prove_anything(person, token) -> None:
    assert not TEAMS.proves(person, token)


def test_a_person_may_be_in_several_teams() -> None:
    assert TEAMS.of("ana") == ("oncall", "platform")
    assert TEAMS.of("cleo") == ()
    assert [p.id for p in TEAMS.members("platform")] == ["ana", "ben"]
    assert TEAMS.members("nobody") == ()
