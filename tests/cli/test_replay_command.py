"""`sre-agent replay`, as a user runs it: what is printed where, and the exit status."""

import json
from pathlib import Path

import pytest

from sre_agent.__main__ import run

HEALTHY = Path(__file__).parent.parent / "incidents" / "healthy"


def test_a_case_that_cannot_be_read_is_printed_as_such_and_the_others_still_are(tmp_path: Path, capfd):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "case.json").write_text('{"schema": 1,\n "id": "x"}')
    assert run(["replay", str(tmp_path / "broken"), str(HEALTHY), "--json", "-"]) == 1
    printed = capfd.readouterr()
    failed, done = (json.loads(line) for line in printed.out.splitlines())
    assert set(failed) == {"case", "error"}
    assert "broken/case.json, line 1, field at" in failed["error"]
    assert (done["case"], done["verdict"], done["policy_ids"]) == ("healthy", "no_action", [])


@pytest.mark.parametrize(
    "words", [("{missing}/case",), ("{case}", "--json", "{missing}/out.jsonl"), ("{case}", "--json", "{folder}")]
)
def test_a_path_that_cannot_be_read_or_written_is_wrong_usage(words: tuple[str, ...], tmp_path: Path, capfd):
    given = [w.format(missing=tmp_path / "nowhere", case=HEALTHY, folder=tmp_path) for w in words]
    assert run(["replay", *given]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "bug" not in printed.err
    assert str(tmp_path) in printed.err
