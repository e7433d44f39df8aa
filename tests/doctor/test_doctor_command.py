"""`sre-agent doctor` as a person and a script run it."""

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sre_agent.__main__ import run
from sre_agent.settings import variables
from sre_agent.testing.kubernetes_api import KubernetesApi
from sre_agent.testing.prometheus import PrometheusStandIn
from sre_agent.wiring.doctor.registry import CHECKS
from tests.house.tree import ROOT

CONNECTING = re.compile(r"_URLS?$|_TOKEN$|SENTINELS$|KUBECONFIG$|_NODES$|_HOST$|_ISSUER$")
"""What names of settings that lead to somebody else look like."""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)


def test_every_setting_that_connects_has_a_check():
    connecting = {v for v in variables() if CONNECTING.search(v)}
    assert {"DATABASE_URL", "PAGERDUTY_API_TOKEN", "REDIS_SENTINELS", "KUBECONFIG", "SLACK_APP_TOKEN"} <= connecting
    assert connecting - {v for c in CHECKS for v in c.where} == set()


def test_every_setting_that_a_check_names_exists():
    assert {v for c in CHECKS for v in c.where} - set(variables()) == set()


def test_every_check_is_in_the_docs():
    text = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [c.full_name for c in CHECKS if f"`{c.full_name}`" not in text] == []


def test_well_and_broken_have_their_exit_statuses(monkeypatch: pytest.MonkeyPatch, capsys):
    with PrometheusStandIn() as prometheus:
        monkeypatch.setenv("PROMETHEUS_URL", prometheus.url)
        assert run(["doctor", "--only", "prometheus.answers"]) == 0
        assert "All that is configured works." in capsys.readouterr().out
    assert run(["doctor", "--only", "prometheus,loki"]) == 1
    out = capsys.readouterr().out
    assert "Mend first prometheus.answers" in out
    assert out.index("prometheus") < out.index("loki")


def test_wrong_settings_are_told_as_the_first_thing_to_mend(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("SRE_AGENT_MODE", "bold")
    assert run(["doctor", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["exit_status"]) == ("broken", 2)
    assert [(c["connection"], c["check"]) for c in told["checks"]] == [("settings", "values")]
    assert "SRE_AGENT_MODE" in told["checks"][0]["found"]


def test_policies_that_do_not_load_are_settings_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SRE_AGENT_POLICIES", str(tmp_path))
    assert run(["doctor", "--only", "settings"]) == 2


def test_a_name_that_no_check_has_is_wrong_usage(capsys):
    assert run(["doctor", "--only", "grafana"]) == 2
    assert "no check 'grafana'" in capsys.readouterr().err


def test_json_has_every_check_once_in_the_order_of_the_docs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    monkeypatch.setenv("SRE_AGENT_DATA_DIR", str(tmp_path / "state"))
    assert run(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [f"{c['connection']}.{c['check']}" for c in told["checks"]] == [c.full_name for c in CHECKS]
    assert sum(told["counts"].values()) == len(CHECKS)
    assert set(told) == {"schema", "version", "at", "status", "exit_status", "counts", "next", "checks"}
    assert list(tmp_path.iterdir()) == []


def test_both_identities_of_a_cluster_are_asked_at_once_by_a_process_that_never_loaded_the_sdk(tmp_path: Path):
    with KubernetesApi() as api:
        settings = {
            "KUBECONFIG": str(api.kubeconfig(tmp_path / "read")),
            "SRE_AGENT_WRITE_KUBECONFIG": str(api.kubeconfig(tmp_path / "write", "hands")),
        }
        ran = ran_apart(tmp_path, settings, "--only", "kubernetes", "--timeout", "60", "--json")
    told = json.loads(ran.stdout)
    assert "defect" not in ran.stdout
    assert {c["status"] for c in told["checks"] if c["check"] in ("reachable", "reads", "apart")} == {"ok"}


def ran_apart(home: Path, settings: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore", "HOME": str(home), **settings}
    command = [sys.executable, "-m", "sre_agent", "doctor", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_a_server_that_drips_its_answer_for_ever_does_not_keep_the_command_from_ending(tmp_path: Path):
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = {"PAGERDUTY_API_URL": url, "PAGERDUTY_API_TOKEN": "t", "PAGERDUTY_FROM_EMAIL": "a@b.test"}
        ran = ran_apart(tmp_path, settings, "--only", "pagerduty.token,settings.mode", "--timeout", "1", "--json")
        ended.set()
    assert ran.returncode == 1, ran.stderr
    told = {c["check"]: c["status"] for c in json.loads(ran.stdout)["checks"]}
    assert told == {"mode": "ok", "token": "broken"}
