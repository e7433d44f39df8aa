"""Change events and their kinds."""

from datetime import UTC, datetime

import pytest

from sre_agent.adapters.pagerduty.changes import change_from_event, change_kind
from sre_agent.evidence.change import ChangeKind

SINCE = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stated", "summary", "kind"),
    [
        ("prompt", "deploy api", ChangeKind.PROMPT),
        (" Deploy ", "prompt", ChangeKind.DEPLOY),
        ("", "Prompt intent-router promoted to version 43", ChangeKind.PROMPT),
        ("prompt_release", "v43", ChangeKind.PROMPT),
        ("", "system_prompt v2 is live", ChangeKind.PROMPT),
        ("", "switch LLM to a smaller one", ChangeKind.MODEL),
        ("", "feature-flag new-greeting on", ChangeKind.FLAG),
        ("", "configmap voice-settings changed", ChangeKind.CONFIG),
        ("", "terraform apply: node pool", ChangeKind.INFRA),
        ("", "Build 812 succeeded; responded promptly", ChangeKind.DEPLOY),
        ("", "", ChangeKind.DEPLOY),
    ],
)
def test_the_kind_is_as_stated_or_by_words(stated, summary, kind):
    assert change_kind(stated, summary) is kind


def test_an_event_is_read():
    change = change_from_event(
        {
            "timestamp": "2026-11-23T03:00:00.000Z",
            "summary": "prompt promoted",
            "services": [{"id": "PSVC001"}],
            "custom_details": {"kind": "prompt", "target": "prompt/intent-router", "from": 42, "to": "43", "author": "dana"},
        },
        SINCE,
    )
    assert (change.at, change.kind, change.target) == (
        datetime(2026, 11, 23, 3, tzinfo=UTC),
        ChangeKind.PROMPT,
        "prompt/intent-router",
    )
    assert (change.from_version, change.to_version, change.author, change.services) == ("42", "43", "dana", ("PSVC001",))
    assert change.source == "pagerduty"


@pytest.mark.parametrize("raw", [None, [], {}, {"timestamp": "soon", "custom_details": "x", "services": [1]}])
def test_an_event_that_cannot_be_dated_is_placed_before_the_onset_and_not_lost(raw):
    change = change_from_event(raw, SINCE)
    assert (change.at, change.kind, change.services) == (SINCE, ChangeKind.DEPLOY, ())


@pytest.mark.parametrize(
    ("more", "link"),
    [
        (
            {"links": [{"href": "javascript:alert(1)"}, {"href": "https://ci.example/run/7", "text": "run"}]},
            "https://ci.example/run/7",
        ),
        ({"html_url": "https://example.pagerduty.com/change_events/01X"}, "https://example.pagerduty.com/change_events/01X"),
        ({"links": [{"href": "https://ci.example/[x](https://evil.example)"}], "html_url": None}, ""),
        ({"links": "no list"}, ""),
        ({}, ""),
    ],
)
def test_where_a_person_can_look_at_a_change_is_read_if_it_is_a_plain_address(more, link):
    assert change_from_event({"timestamp": "2026-11-23T03:00:00Z", "summary": "v43", **more}, SINCE).link == link
