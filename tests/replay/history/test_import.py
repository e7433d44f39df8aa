"""PagerDuty's history as cases: fetched once, kept, taken up again where a run was interrupted."""

import json
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from sre_agent.adapters.pagerduty.gateway import Patience
from sre_agent.incident.errors import ConfigurationError, Transient
from sre_agent.replay.case import load_case
from sre_agent.replay.expectation import outcome_of
from sre_agent.replay.history.entry import HistoryEntry
from sre_agent.replay.saved import SavedCases
from sre_agent.testing.langfuse import LangfuseStandIn
from sre_agent.testing.pagerduty import PagerDutyStandIn
from sre_agent.testing.pagerduty_alerts import AlertShape
from sre_agent.testing.pagerduty_faults import Drop, Fault
from sre_agent.testing.prometheus import PrometheusStandIn
from sre_agent.wiring.history import HistoryImport, Wanted
from tests.replay.history.stage import (
    BEGAN,
    DAY,
    LIMITED,
    NOW,
    WORDS,
    Clock,
    crm_incident,
    environment,
    imported,
    lines,
    paths,
    quick,
    replayed,
    settings_for,
    tree,
)

pytestmark = pytest.mark.real


def test_a_case_holds_the_incident_as_it_was_and_beside_it_what_people_did(pagerduty, clock, tmp_path):
    identity = crm_incident(pagerduty, clock)
    settings = settings_for(pagerduty, tmp_path)
    ((place, name, error),) = imported(settings, tmp_path / "cases")
    assert (name, error) == (f"2026-09-14-102000-{identity}", "")
    folder = tmp_path / "cases" / name
    assert place == str(folder)
    case, outcome = load_case(folder), outcome_of(folder)
    assert (case.at, case.incident.status.value) == (BEGAN + timedelta(seconds=30), "triggered")
    assert [a.labels["alertname"] for a in case.incident.firing] == ["ToolRateLimited"]
    assert outcome is not None
    assert (outcome.acknowledged_at, outcome.resolved_by) == (BEGAN + timedelta(minutes=2), "On Call")
    history = HistoryEntry.model_validate_json((folder / "history.json").read_text())
    assert (history.incident["status"], len(history.log_entries), len(history.notes)) == ("resolved", 4, 1)
    assert all("sk-live" not in text.decode() for text in tree(folder).values())


@pytest.mark.parametrize("shape", AlertShape)
def test_labels_arrive_in_every_dress_and_times_with_the_account_s_offset(tmp_path, shape):
    clock = Clock(BEGAN.astimezone(timezone(timedelta(hours=-6))))
    with PagerDutyStandIn(now=clock) as pagerduty:
        identity = pagerduty.add_incident("a", [LIMITED], shape=shape)
        clock.wait(minutes=10)
        pagerduty.resolve(identity)
        assert pagerduty.account.alerts[identity][0]["created_at"].endswith("-06:00")
        ((_, name, error),) = imported(settings_for(pagerduty, tmp_path), tmp_path / "cases")
    assert error == ""
    (alert,) = load_case(tmp_path / "cases" / name).incident.alerts
    assert (alert.labels_known, alert.starts_at, alert.status.value) == (shape is not AlertShape.REMOVED, BEGAN, "firing")
    assert alert.labels.get("tool_name") == (None if shape is AlertShape.REMOVED else "crm")


def test_an_incident_without_alerts_is_handed_back(pagerduty, clock, tmp_path):
    pagerduty.resolve(pagerduty.add_incident("by hand", []))
    done = replayed(environment(pagerduty, tmp_path), *WORDS)
    assert done.returncode == 0, done.stderr
    (found,) = lines(done.stdout)
    assert (found["class"], found["verdict"]) == ("unknown", "hand_back")


@pytest.mark.real
def test_a_second_run_asks_pagerduty_for_nothing(pagerduty, clock, tmp_path):
    quick(pagerduty, clock, 20, minutes=20)
    settings = settings_for(pagerduty, tmp_path)
    first = imported(settings, tmp_path / "cases")
    before, asked = tree(tmp_path / "cases"), len(pagerduty.calls)
    assert len(first) == 20
    assert imported(settings, tmp_path / "cases") == first
    assert len(pagerduty.calls) == asked
    assert tree(tmp_path / "cases") == before


def test_another_span_adds_and_fetches_no_case_again(pagerduty, clock, tmp_path):
    identities = quick(pagerduty, clock, 6, hours=6)
    settings = settings_for(pagerduty, tmp_path)
    assert len(imported(settings, tmp_path / "cases")) == 4
    asked = len(pagerduty.calls)
    wider = DAY.model_copy(update={"until": DAY.until + timedelta(days=2)})
    assert [name[-14:] for _, name, _ in imported(settings, tmp_path / "cases", wider)] == identities
    assert sorted({p.split("/")[2] for p in paths(pagerduty, asked) if p.startswith("/incidents/")}) == identities[4:]


def test_another_moment_and_another_source_are_fetched_anew(pagerduty, clock, tmp_path):
    quick(pagerduty, clock, 1)
    settings, save = settings_for(pagerduty, tmp_path), tmp_path / "cases"
    ((_, name, _),) = imported(settings, save)
    imported(settings, save, look_after_s=120)
    assert load_case(save / name).at == BEGAN + timedelta(seconds=120)
    with PrometheusStandIn() as prometheus:
        imported(settings_for(pagerduty, tmp_path, PROMETHEUS_URL=prometheus.url), save, look_after_s=120)
        assert prometheus.asked
    asked = len(pagerduty.calls)
    imported(settings, save, look_after_s=120)
    assert len(pagerduty.calls) == asked


@pytest.mark.parametrize("broken", ["case.json", "history.json", ".fetched.json", "evidence.jsonl"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_folder_that_is_broken_is_fetched_anew_and_no_other(pagerduty, clock, tmp_path, broken, how):
    quick(pagerduty, clock, 3, minutes=20)
    settings, save = settings_for(pagerduty, tmp_path), tmp_path / "cases"
    found = imported(settings, save)
    before, asked, victim = tree(save), len(pagerduty.calls), save / str(found[1][1]) / broken
    content = victim.read_bytes()
    victim.unlink()
    if how == "cut":
        victim.write_bytes(content[:-2])
    assert imported(settings, save) == found
    assert tree(save) == before
    assert {p.split("/")[2] for p in paths(pagerduty, asked) if p.startswith("/incidents/")} == {str(found[1][1])[-14:]}


def test_one_incident_that_cannot_be_fetched_is_told_and_asked_for_again_next_time(pagerduty, clock, tmp_path):
    identities = quick(pagerduty, clock, 3, minutes=20)
    settings, save = settings_for(pagerduty, tmp_path), tmp_path / "cases"
    pagerduty.faults.add(Fault(path=f"/incidents/{identities[1]}/alerts", status=500, body={}, times=99))
    with SavedCases.opened(save) as saved:
        impatient = HistoryImport(settings, Wanted(DAY, 30, NOW), saved, patience=Patience(5.0, 2, 0.01))
        found = list(impatient)
        impatient.close()
    assert [f.folder is None for f in found] == [False, True, False]
    assert (found[1].place, found[1].error[:24]) == (identities[1], f"incident {identities[1]}:")
    assert "PagerDuty is in trouble" in found[1].error
    pagerduty.faults.clear()
    assert [name[-14:] for _, name, _ in imported(settings, save)] == identities


@pytest.mark.parametrize("what", ["alerts", "log_entries", "notes"])
def test_what_the_key_may_not_read_is_said_in_the_case(pagerduty, clock, tmp_path, what):
    crm_incident(pagerduty, clock)
    pagerduty.account.lacks[what] = 403
    done = replayed(environment(pagerduty, tmp_path), *WORDS, "--save", str(tmp_path / "cases"))
    assert done.returncode == 0, done.stderr
    (found,) = lines(done.stdout)
    assert found["would_execute"] is False
    (folder,) = (p.parent for p in (tmp_path / "cases").glob("*/case.json"))
    assert f"{what.replace('_', ' ')}: PagerDuty: GET" in (folder / "evidence.jsonl").read_text()


def test_a_change_feed_of_a_deleted_service_is_an_error_and_not_silence(pagerduty, clock, tmp_path):
    quick(pagerduty, clock, 1)
    del pagerduty.account.services[pagerduty.service]
    ((_, name, _),) = imported(settings_for(pagerduty, tmp_path), tmp_path / "cases")
    said = [json.loads(line) for line in (tmp_path / "cases" / name / "evidence.jsonl").read_text().splitlines()]
    (feed,) = [e for e in said if e["source"] == "changes"]
    assert feed["status"] == "error"
    assert "PagerDuty does not know it" in feed["error"]


def test_change_events_that_pagerduty_has_thrown_away_are_not_no_changes(pagerduty, clock, tmp_path):
    quick(pagerduty, clock, 1)
    ((_, name, _),) = imported(settings_for(pagerduty, tmp_path), tmp_path / "cases", now=BEGAN + timedelta(days=89.5))
    assert not any("change_events" in path for path in paths(pagerduty))
    (feed,) = [e for e in _evidence(tmp_path / "cases" / name) if e["kind"] == "changes"]
    assert feed["status"] == "no_data"
    assert "keeps change events for 90 days" in feed["error"]
    assert feed["window"]["start"] == feed["window"]["end"]


def _evidence(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "evidence.jsonl").read_text().splitlines()]


def test_systems_without_a_past_are_not_asked_and_say_so(pagerduty, clock, tmp_path):
    pagerduty.add_incident("p", [{"alertname": "PodDown", "alert_type": "infra", "namespace": "voice", "pod": "api-1"}])
    settings = settings_for(pagerduty, tmp_path, REDIS_SENTINELS="127.0.0.1:1", ALERTMANAGER_URL="http://127.0.0.1:1")
    ((_, name, _),) = imported(settings, tmp_path / "cases")
    told = {e["source"]: (e["status"], e["error"]) for e in _evidence(tmp_path / "cases" / name)}
    assert told["kubernetes"] == ("no_data", "Kubernetes keeps no history, and nothing was recorded then")
    assert told["redis"] == ("no_data", "Redis keeps no history, and nothing was recorded then")
    assert told["alertmanager"] == ("no_data", "Alertmanager keeps no history")
    assert "postgres" not in told


def test_sources_are_asked_about_the_time_of_the_incident_and_nothing_else(pagerduty, clock, tmp_path):
    quick(pagerduty, clock, 1)
    with PrometheusStandIn() as prometheus, LangfuseStandIn() as langfuse:
        more = {"PROMETHEUS_URL": prometheus.url, "LANGFUSE_HOST": langfuse.url}
        keys = {"LANGFUSE_PUBLIC_KEY": "pk-lf-test", "LANGFUSE_SECRET_KEY": "sk-lf-test"}
        imported(settings_for(pagerduty, tmp_path, **more, **keys), None)
        at = BEGAN + timedelta(seconds=30)
        for path, form in prometheus.asked:
            assert path in ("/api/v1/query", "/api/v1/query_range"), path
            assert float(form.get("time", form.get("end", "0"))) == at.timestamp(), form
        assert prometheus.asked


def test_without_a_key_it_is_said_which_one_is_needed(tmp_path, pagerduty):
    told = {k: v for k, v in environment(pagerduty, tmp_path).items() if k != "PAGERDUTY_API_TOKEN"}
    done = replayed(told, *WORDS)
    assert (done.returncode, done.stdout) == (1, "")
    assert "PAGERDUTY_API_TOKEN is needed to read PagerDuty's history; a read-only key is enough" in done.stderr


def test_a_key_that_may_not_list_ends_the_run_with_what_to_do(pagerduty, tmp_path):
    pagerduty.account.lacks["incidents"] = 403
    done = replayed(environment(pagerduty, tmp_path), *WORDS)
    assert (done.returncode, done.stdout) == (1, "")
    assert "must be allowed to read incidents" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pagerduty",), "needs --since"),
        (("--pagerduty", "--since", "2999-01-01"), "lies in the future"),
        (("--pagerduty", "--since", "1d", "--until", "2d"), "is not before"),
        (("--pagerduty", "--since", "soon"), "is no time"),
        (("--pagerduty", "--since", "1d", "--service", "voice"), "is no id of PagerDuty"),
        (("--since", "1d", "tests"), "go with --pagerduty"),
        (("--pagerduty", "--since", "1d", "tests"), "--pagerduty takes no path"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_asked(pagerduty, tmp_path, words, said):
    done = replayed(environment(pagerduty, tmp_path), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert pagerduty.calls == []


@pytest.mark.real
def test_a_pagerduty_that_goes_away_stops_the_run_and_loses_nothing(pagerduty, clock, tmp_path):
    identities = quick(pagerduty, clock, 40, minutes=20)
    settings, save = settings_for(pagerduty, tmp_path), tmp_path / "cases"
    pagerduty.faults.add(Fault(path=f"/incidents/{identities[20]}/.*", status=401, body={}, times=99))
    with pytest.raises(ConfigurationError):
        imported(settings, save)
    assert len(list(save.glob("*/case.json"))) >= 16
    pagerduty.faults.clear()
    assert [str(name)[-14:] for _, name, _ in imported(settings, save)] == identities


@pytest.mark.real
def test_a_pagerduty_that_cannot_be_reached_is_transient(pagerduty, tmp_path):
    pagerduty.faults.add(Fault(path="/incidents", drop=Drop.BEFORE, times=99))
    with pytest.raises(Transient, match="GET /incidents"):
        imported(settings_for(pagerduty, tmp_path), None)
