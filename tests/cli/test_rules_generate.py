"""`sre-agent rules generate`: files are written once, the same each time, and never over somebody else's."""

from pathlib import Path

import pytest

from tests.rules.objectives import changed

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/slo.yaml"
pytestmark = pytest.mark.usefixtures("bare_environment")


def test_rules_and_tests_are_written_and_running_again_changes_nothing(tmp_path: Path, said):
    out = tmp_path / "new" / "rules"
    status, told, notes = said("rules", "generate", EXAMPLE, "--out-dir", out)
    assert status == 0
    assert told.splitlines() == [f"{out}/slo.rules.yaml: written", f"{out}/slo.test.yaml: written"]
    assert 'see in Prometheus that agent_first_token_seconds_bucket{le="0.8"} exists' in notes
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    status, told, _ = said("rules", "generate", EXAMPLE, "--out-dir", out)
    assert (status, told) == (0, f"{out}/slo.rules.yaml: unchanged\n{out}/slo.test.yaml: unchanged\n")
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()} == before


def test_the_files_say_that_they_are_generated_and_name_no_folder(tmp_path: Path, said):
    said("rules", "generate", EXAMPLE, "--out-dir", tmp_path)
    for name in ("slo.rules.yaml", "slo.test.yaml"):
        text = (tmp_path / name).read_text()
        assert text.startswith("# Written by `sre-agent rules generate` from slo.yaml")
        assert str(ROOT) not in text


def test_they_are_written_beside_the_objectives_when_no_folder_is_named(tmp_path: Path, said):
    assert said("rules", "generate", changed(tmp_path))[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slo.rules.yaml", "slo.test.yaml", "slo.yaml"]


def test_an_objective_that_changed_rewrites_the_rules(tmp_path: Path, said):
    said("rules", "generate", changed(tmp_path))
    status, told, _ = said("rules", "generate", changed(tmp_path, ("objective: 0.999", "objective: 0.9995")))
    assert (status, told.count("rewritten")) == (0, 2)
    assert "14.4 * 0.0005" in (tmp_path / "slo.rules.yaml").read_text()


def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, said):
    (tmp_path / "slo.rules.yaml").write_text("groups: []\n")
    status, told, wrong = said("rules", "generate", changed(tmp_path))
    assert status != 0
    assert "was not written by this command; move it away or name another --out-dir" in wrong
    assert (tmp_path / "slo.rules.yaml").read_text() == "groups: []\n"
    assert told == ""


def test_a_wrong_file_writes_nothing_and_tells_everything(tmp_path: Path, said):
    path = changed(tmp_path, ("alert_type: infra", "alert_type: Infra"), (", tool_name: crm", ""))
    status, told, wrong = said("rules", "generate", path)
    assert (status, told) == (1, "")
    assert [line.split(": ")[0] for line in wrong.splitlines()] == [f"{path}:7", f"{path}:11"]
    assert [p.name for p in tmp_path.iterdir()] == ["slo.yaml"]


def test_check_writes_nothing_and_fails_for_what_is_not_current(tmp_path: Path, said):
    path = changed(tmp_path)
    status, told, _ = said("rules", "generate", "--check", path)
    assert (status, told.count("would be written")) == (1, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["slo.yaml"]
    said("rules", "generate", path)
    assert said("rules", "generate", "--check", path)[0] == 0
    with (tmp_path / "slo.rules.yaml").open("a") as file:
        file.write("# edited\n")
    status, told, _ = said("rules", "generate", "--check", path)
    assert (status, "slo.rules.yaml: would be rewritten" in told) == (1, True)


def test_a_missing_file_is_told(tmp_path: Path, said):
    status, _, wrong = said("rules", "generate", tmp_path / "none.yaml")
    assert status == 1
    assert "there is no such file" in wrong


def test_the_linter_finds_nothing_in_what_is_written(tmp_path: Path, said):
    for path in (EXAMPLE, changed(tmp_path)):
        out = tmp_path / path.parent.name
        assert said("rules", "generate", path, "--out-dir", out)[0] == 0
        status, told, _ = said("rules", "check", out / "slo.rules.yaml")
        assert status == 0, told
        assert "0 errors, 0 warnings" in told
