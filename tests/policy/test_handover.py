"""What owners declare for incidents that are handed back, and the teams of receivers."""

from pathlib import Path

import pytest

from sre_agent.incident.alert import AlertClass
from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.handover import Handover, HandoverFact
from sre_agent.policy.load import load_bundle

POLICIES = Path(__file__).parents[2] / "policies"


def overlay(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_as_shipped_no_class_gets_anything() -> None:
    handovers = load_bundle(POLICIES).declared.handovers
    assert [handovers.of(c) for c in AlertClass] == [Handover()] * len(AlertClass)
    assert not Handover().status_update


def test_an_overlay_says_it_per_class_and_is_part_of_the_hash(tmp_path: Path) -> None:
    text = "model: {priority: P3, custom_fields: {verdict: verdict, Page_1: page}, status_update: true}\n"
    bundle = load_bundle(POLICIES, overlay(tmp_path, handback=text))
    told = bundle.declared.handovers.of(AlertClass.MODEL)
    assert told == Handover(
        priority="P3", custom_fields={"verdict": HandoverFact.VERDICT, "Page_1": HandoverFact.PAGE}, status_update=True
    )
    assert bundle.declared.handovers.of(AlertClass.INFRA) == Handover()
    assert bundle.hash != load_bundle(POLICIES).hash
    assert "data/handback.yaml" in bundle.files


ROUTING = "receivers: {pd-platform: %s, pd-ai-eng: ''}\nteams: {pd-platform: [ops]}\n"


def test_a_receiver_in_use_may_only_name_teams_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"routing.yaml:2: unknown team 'ops'.*known: ai-eng, platform|unknown team 'ops'"):
        load_bundle(POLICIES, overlay(tmp_path, routing=ROUTING % "PPLAT01"))
    assert load_bundle(POLICIES, overlay(tmp_path, routing=ROUTING % "''")).declared.ownership.teams == {"pd-platform": ("ops",)}


def test_other_people_than_the_shipped_ones_can_be_declared_without_a_routing_file(tmp_path: Path) -> None:
    people = "people: [{id: zoe, name: Zoe, pagerduty: P00000ZOE}]\nteams: {ops: [zoe]}\n"
    assert load_bundle(POLICIES, overlay(tmp_path, teams=people)).declared.people.teams == {"ops": ("zoe",)}


def test_the_example_in_the_shipped_file_is_valid(tmp_path: Path) -> None:
    text = (POLICIES / "data/handback.yaml").read_text()
    example = "\n".join(line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ") and ":" in line)
    told = load_bundle(POLICIES, overlay(tmp_path, handback=example)).declared.handovers.of(AlertClass.MODEL)
    assert (told.priority, len(told.custom_fields)) == ("P3", 3)
