"""The app that people install has the scopes that the product uses, and no others."""

import re

import yaml

from sre_agent.testing.slack import SCOPES
from tests.house.tree import ROOT

MANIFEST = ROOT / "docs/slack-app-manifest.yaml"


def test_the_manifest_asks_for_the_scopes_that_the_stand_in_wants_and_for_no_others():
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES
    assert manifest["settings"]["interactivity"]["request_url"].endswith("/slack/interactions")
    assert "event_subscriptions" not in manifest["settings"]


def test_every_rule_of_a_press_is_explained():
    told = (ROOT / "docs/slack.md").read_text(encoding="utf-8")
    rules = {
        rule
        for path in ("asking/pressers.py", "asking/presses.py")
        for rule in re.findall(r'"(press-[a-z-]+)"', (ROOT / "sre_agent" / path).read_text(encoding="utf-8"))
    }
    assert len(rules) > 10
    assert {rule for rule in rules if f"`{rule}`" not in told} == set()
