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
