"""`sre-agent routes`: what it writes, where, and what it refuses."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

URL = "https://sre.example.com/webhooks/alertmanager"


@pytest.fixture(autouse=True)
def _bare(bare_environment) -> None: ...


def test_the_shipped_routing_file_becomes_a_configuration_that_amtool_and_the_linter_take(said, tmp_path: Path) -> None:
    path = tmp_path / "alertmanager.yml"
    status, out, err = said("routes", "render", "--url", URL, "--output", path)
    assert (status, out, err) == (0, f"{path}: written\n", "")
    assert said("rules", "check", path)[0] == 0
    config = yaml.safe_load(path.read_text())
    assert [r["receiver"] for r in config["route"]["routes"][1:]] == [
        "pd-platform",
        "pd-ai-eng",
        "pd-integration-owners",
        "pd-integration-owners",
    ]
    [hook] = config["receivers"][0]["webhook_configs"]
    assert (hook["url"], hook["send_resolved"], hook["max_alerts"]) == (URL, True, 1000)
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager (with amtool) is not installed")
    subprocess.run(["amtool", "check-config", str(path)], check=True, capture_output=True)


def test_without_a_file_it_is_written_to_standard_output_and_twice_the_same(said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_PUBLIC_URL", "https://sre.example.com/")
    first, second = said("routes", "render"), said("routes", "render")
    assert first == second
    assert first[0] == 0
    assert f"- url: '{URL}'" in first[1]


def test_nobody_said_where_the_agent_is(said) -> None:
    status, out, err = said("routes", "render")
    assert (status, out) == (1, "")
    assert "SRE_AGENT_PUBLIC_URL" in err


def test_a_wrong_routing_file_writes_nothing(said, tmp_path: Path) -> None:
    wrong, output = tmp_path / "routing.yaml", tmp_path / "am.yml"
    wrong.write_text("group_by: {infra: [a-b]}\n")
    status, _, err = said("routes", "render", "--url", URL, "--routing", wrong, "--output", output)
    assert status == 1
    assert "'a-b', which can be no label" in err
    assert not output.exists()


GOOD = """\
- labels: {alert_type: infra, alertname: Down}
  receiver: pd-platform
  owner: platform
- {labels: {alert_type: model, vertical: healthcare}, receiver: pd-ai-eng, owner: ai-eng}
- {labels: {alert_type: tool, tool_name: crm}, receiver: pd-integration-owners, owner: crm}
- {labels: {alert_type: "Infra "}, receiver: default}
- {labels: {}, receiver: default}
- {labels: {alert_type: model, via: fallback}, receiver: pd-ai-eng-fallback}
"""


def test_cases_that_hold_say_how_many_they_are(said, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(GOOD)
    assert said("routes", "test", cases) == (0, "6 cases, 0 not as expected\n", "")


def test_each_difference_is_said_with_its_line(said, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    wrong = (
        "- {labels: {alert_type: model}, receiver: pd-platform}\n"
        "- {labels: {alert_type: infra}, receiver: pd-platform, owner: ai-eng, group: x}\n"
        "- {labels: {alert_type: infra, via: fallback}, receiver: pd-platform, owner: platform}\n"
    )
    cases.write_text(GOOD + wrong)
    status, out, err = said("routes", "test", cases)
    assert (status, err) == (1, "")
    lines = out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [*(f"{cases}:{n}" for n in (9, 9, 10, 10, 11, 11)), lines[-1]]
    assert "'pd-platform' is expected, the routing file says 'pd-ai-eng'" in lines[0]
    assert "rendered tree leads to 'pd-ai-eng'" in lines[1]
    assert "owner 'ai-eng' is expected, the routing file says 'platform'" in lines[2]
    assert "group 'x' is expected" in lines[3]
    assert "never comes to it" in lines[4]
    assert "leads to 'pd-platform-fallback'" in lines[5]
    assert lines[-1] == "9 cases, 3 not as expected"


def test_a_route_of_a_file_of_ones_own_is_tested_with_routing(said, tmp_path: Path) -> None:
    cases, routing = tmp_path / "cases.yaml", tmp_path / "routing.yaml"
    cases.write_text("- {labels: {alert_type: model, vertical: sales}, receiver: voice, owner: v}\n")
    route = "{id: x, matchers: ['vertical=\"sales\"'], receiver: voice, owner: v}"
    routing.write_text(f"receivers: {{voice: '', default: ''}}\nroutes: [{route}]\n")
    assert said("routes", "test", cases)[0] == 1
    assert said("routes", "test", cases, "--routing", routing) == (0, "1 cases, 0 not as expected\n", "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "no case"),
        ("- {labels: {plan: 499}, receiver: default}", ":1: "),
        ("- {labels: {}}", "receiver"),
        ("- {labels: {}, reciever: x, receiver: x}", "reciever"),
        ("a: [", "YAML"),
    ],
)
def test_cases_that_cannot_be_read_are_refused(text: str, why: str, said, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(text)
    status, out, err = said("routes", "test", cases)
    assert (status, out) == (1, "")
    assert why in err
