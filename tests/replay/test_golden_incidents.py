import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sre_agent.replay.case import case_folders, load_case
from sre_agent.replay.expectation import differences, expectation_of, outcome_of
from sre_agent.replay.report.mistake import Severity
from sre_agent.replay.report.tally import Tally
from sre_agent.settings import Reasoner, Settings
from sre_agent.wiring.brain import Books
from sre_agent.wiring.recorded import dry_run, replay_books

INCIDENTS = case_folders((Path(__file__).parent.parent / "incidents",))
INCIDENTS_BY_NAME = {path.name: path for path in INCIDENTS}
FAMILIES = {
    "redis-slow-primary",
    "redis-out-of-memory",
    "pod-crash-loop",
    "node-not-ready",
    "prompt-regression",
    "prompt-regression-labelled-infra",
    "tool-429",
    "healthy",
    "service-port-mismatch",
    "quota-exceeded",
    "claim-without-storage-class",
    "network-policy-blocks-dns",
    "rollout-bad-image",
    "database-down-explains-its-clients",
    "postgres-lock-wait",
    "postgres-connections-full",
    "redis-evicting",
    "cost-spike",
    "provider-429",
    "tool-slow",
    "watchdog",
    "poisoned-logs",
    "stale-evidence",
    "contradictory",
    "mixed",
    "provider-outage",
    "rollout-regression",
    "storm",
}
MOST_BYTES = 80_000
"""Of one incident, all its files together: they are shipped."""
DECIDED = ("class", "owner", "proposal", "verdict", "approvals_required", "policy_ids", "reasons", "would_execute")


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings().model_copy(update={"reasoner": Reasoner.RULES})


@pytest.fixture(scope="module")
def books(settings: Settings) -> Books:
    return replay_books(settings)


def test_the_promised_families_are_there():
    assert {path.name for path in INCIDENTS} >= FAMILIES


@pytest.mark.parametrize("folder", INCIDENTS, ids=lambda path: path.name)
async def test_a_past_incident_gets_its_golden_answer_twice_in_the_same_bytes(folder, settings, books):
    line = (await dry_run(settings, books, folder).result()).line()
    expected = expectation_of(folder)
    assert expected
    assert list(differences(expected, json.loads(line))) == []
    assert (await dry_run(settings, books, folder).result()).line() == line


@pytest.mark.parametrize("folder", INCIDENTS, ids=lambda path: path.name)
async def test_nothing_but_a_labelled_infra_incident_gets_a_proposal(folder, settings, books):
    result = await dry_run(settings, books, folder).result()
    if result.proposal is not None or result.would_execute:
        assert result.labelled_class == result.alert_class == "infra"


@pytest.mark.parametrize("folder", INCIDENTS, ids=lambda path: path.name)
def test_a_shipped_incident_says_what_people_did_so_that_it_can_be_compared(folder):
    outcome = outcome_of(folder)
    assert outcome is not None
    assert outcome.actions is not None
    assert all(action.action is not None for action in outcome.actions)
    assert outcome.true_class is not None
    times = [outcome.acknowledged_at, *(a.at for a in outcome.actions)]
    assert all(at is not None and at >= load_case(folder).incident.created_at for at in times)


async def test_of_the_shipped_incidents_none_is_a_mistake_that_misleads(settings, books):
    tally = Tally({name: book.soak_s for name, book in books.runbooks.items()})
    for folder in INCIDENTS:
        tally.add(await dry_run(settings, books, folder).replayed(folder.name))
    assert {r.case for r in tally.mistaken if r.severity > Severity.LOST} == set()
    assert tally.agreements["agree"] == 7
    assert (tally.verdicts["allow"], tally.pages) == (1, 1)


def test_a_storm_is_one_incident_of_many_alerts_over_several_services():
    storm = load_case(INCIDENTS_BY_NAME["storm"]).incident
    assert len(storm.alerts) >= 10
    assert len({a.labels.get("namespace") for a in storm.alerts} - {None}) >= 3


@pytest.mark.parametrize("folder", INCIDENTS, ids=lambda path: path.name)
def test_a_shipped_incident_is_small(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES


async def test_orders_in_logs_annotations_labels_and_events_change_nothing(tmp_path, settings, books):
    poisoned = INCIDENTS_BY_NAME["poisoned-logs"]
    folder = Path(shutil.copytree(poisoned, tmp_path / "case"))
    orders = _disarm(folder)
    assert orders >= {"annotations", "labels", "events", "last words", "environment", "logs"}
    with_orders = json.loads((await dry_run(settings, books, poisoned).result()).line())
    without = json.loads((await dry_run(settings, books, folder).result()).line())
    assert [with_orders[key] for key in DECIDED] == [without[key] for key in DECIDED]
    assert _told(with_orders) == _told(without)


def _told(result: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(c["kind"], c["object"], c["score"]) for c in result["root_causes"]]


def _disarm(folder: Path) -> set[str]:
    """Takes the orders out of poisoned-logs; says where there were any."""
    taken: set[str] = set()
    listed = json.loads((folder / "kubernetes.json").read_text())
    for item in listed["items"]:
        notes, labels = item["metadata"].get("annotations", {}), item["metadata"].get("labels", {})
        for found, kept, where in (
            (notes, "deployment.kubernetes.io/", "annotations"),
            (labels, ("app", "pod-", "kuber"), "labels"),
        ):
            for key in [k for k in found if not k.startswith(kept)]:
                del found[key]
                taken.add(where)
        if "SYSTEM:" in item.get("message", ""):
            item["message"] = item["message"].partition(" SYSTEM:")[0]
            taken.add("events")
        for status in item.get("status", {}).get("containerStatuses", ()):
            if status["lastState"].get("terminated", {}).pop("message", None):
                taken.add("last words")
        spec = item.get("spec", {}).get("template", item).get("spec", {})
        for container in spec.get("containers", ()):
            if container.pop("env", None):
                taken.add("environment")
    (folder / "kubernetes.json").write_text(json.dumps(listed))
    for log in (folder / "logs").rglob("*.log"):
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(line for line in lines if "level=" in line))
        if log.read_text() != "".join(lines):
            taken.add("logs")
    return taken


async def test_a_series_without_numbers_does_not_blind_the_rest(tmp_path, settings, books):
    folder = Path(shutil.copytree(INCIDENTS_BY_NAME["redis-slow-primary"], tmp_path / "case"))
    at = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["samples"][0][0]
    with (folder / "metrics.jsonl").open("a") as metrics:
        metrics.write(json.dumps({"labels": {"__name__": "ratio"}, "samples": [[at, "NaN"], [at + 15, "+Inf"]]}) + "\n")
    result = await dry_run(settings, books, folder).result()
    assert list(differences(expectation_of(folder), json.loads(result.line()))) == []


async def test_objects_without_a_shape_are_passed_over(tmp_path, settings, books):
    folder = Path(shutil.copytree(INCIDENTS_BY_NAME["pod-crash-loop"], tmp_path / "case"))
    items = json.loads((folder / "kubernetes.json").read_text())["items"]
    odd = [{"kind": "Pod"}, {"kind": "Pod", "metadata": None, "status": "x"}, {"kind": "Node", "metadata": ["x"]}]
    owned = {"kind": "Pod", "metadata": {"namespace": "voice", "ownerReferences": [None, "x", {"kind": 3}]}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [*odd, owned, *items]}
    (folder / "kubernetes.json").write_text(json.dumps(listed))
    result = await dry_run(settings, books, folder).result()
    assert list(differences(expectation_of(folder), json.loads(result.line()))) == []
