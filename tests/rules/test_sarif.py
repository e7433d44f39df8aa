"""SARIF 2.1.0: what the standard requires of the properties that we write, written down here from its text."""

import json
from pathlib import Path
from urllib.parse import urlparse

import pytest

from sre_agent.rules.examine import ALL_CHECKS, documents_of, examine
from sre_agent.rules.fix import fixed
from sre_agent.rules.given import Read
from sre_agent.rules.report import as_json
from sre_agent.rules.sarif import as_sarif
from tests.rules.linting import linted
from tests.rules.test_fix import ROUTES, RULES

LEVELS = ("none", "note", "warning", "error")
READ = Read(("0.yaml",), (), ("x.yaml:1: cannot be read",), ())
SUPPRESSED = "- alert: A  # sre-agent: ignore SRA401 its reason\n  expr: up == 0\n"

# (required, allowed) of each object; sections 3.13 to 3.58 of the standard.
SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"version", "runs"}, {"$schema", "version", "runs"}),
    "run": ({"tool"}, {"tool", "results", "columnKind", "invocations"}),
    "tool": ({"driver"}, {"driver"}),
    "driver": ({"name"}, {"name", "version", "rules"}),
    "rule": ({"id"}, {"id", "name", "shortDescription", "help", "defaultConfiguration"}),
    "invocation": ({"executionSuccessful"}, {"executionSuccessful", "toolExecutionNotifications"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "message", "locations", "fixes", "suppressions"}),
    "fix": ({"artifactChanges"}, {"description", "artifactChanges"}),
    "change": ({"artifactLocation", "replacements"}, {"artifactLocation", "replacements"}),
    "replacement": ({"deletedRegion"}, {"deletedRegion", "insertedContent"}),
    "suppression": ({"kind"}, {"kind", "justification"}),
}


def shaped(kind: str, value: dict) -> dict:
    required, allowed = SHAPES[kind]
    assert required <= value.keys() <= allowed, kind
    return value


def region(value: dict) -> None:
    assert value["startLine"] >= 1
    assert value.get("startColumn", 1) >= 1
    assert value.get("charOffset", 0) >= 0
    end = (value.get("endLine", value["startLine"]), value.get("endColumn", 10**9))
    assert end >= (value["startLine"], value.get("startColumn", 1))


@pytest.mark.parametrize("texts", [(RULES, ROUTES), (SUPPRESSED,), ()])
def test_the_log_has_the_form_that_the_standard_asks_for(texts):
    log = shaped("log", json.loads(json.dumps(as_sarif(linted(*texts), READ, "1.0"))))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = shaped("driver", shaped("tool", shaped("run", run)["tool"])["driver"])
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    known = [shaped("rule", rule)["id"] for rule in driver["rules"]]
    assert known == [check.id for check in ALL_CHECKS]
    assert all(rule["shortDescription"]["text"].endswith(".") for rule in driver["rules"])
    assert all(rule["defaultConfiguration"]["level"] in LEVELS for rule in driver["rules"])
    (invocation,) = run["invocations"]
    assert shaped("invocation", invocation)["executionSuccessful"] is False
    assert [n["message"]["text"] for n in invocation["toolExecutionNotifications"]] == ["x.yaml:1: cannot be read"]
    for result in run["results"]:
        shaped("result", result)
        assert known[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert urlparse(location["physicalLocation"]["artifactLocation"]["uri"]).path
        region(location["physicalLocation"]["region"])
        for fix in result.get("fixes", ()):
            for change in shaped("fix", fix)["artifactChanges"]:
                for replacement in shaped("change", change)["replacements"]:
                    region(shaped("replacement", replacement)["deletedRegion"])
        for one in result.get("suppressions", ()):
            assert shaped("suppression", one)["kind"] in ("inSource", "external")


def test_the_replacements_say_what_the_fix_does():
    text = RULES.replace("redis_up", "rédis_üp😀".replace("😀", "")).replace("# keep me", "# 😀")
    examined = linted(text)
    changes = [
        (r["deletedRegion"], r["insertedContent"]["text"])
        for result in as_sarif(examined, READ, "1")["runs"][0]["results"]
        for fix in result.get("fixes", ())
        for r in fix["artifactChanges"][0]["replacements"]
    ]
    lines = documents_of(examined.subject.parts)[0].text.splitlines(keepends=True)
    for where, new in sorted(changes, key=lambda c: c[0]["charOffset"], reverse=True):
        first, last = where["startLine"] - 1, where["endLine"] - 1
        assert first == last
        line = lines[first]
        lines[first] = line[: where["startColumn"] - 1] + new + line[where["endColumn"] - 1 :]
    assert "".join(lines) == fixed(examined).texts["0.yaml"][1]


def test_what_is_suppressed_is_told_as_suppressed():
    results = as_sarif(linted(SUPPRESSED), READ, "1")["runs"][0]["results"]
    assert [r["suppressions"] for r in results if "suppressions" in r] == [[{"kind": "inSource", "justification": "its reason"}]]


def test_absolute_paths_and_blanks_become_uris(tmp_path: Path):
    from sre_agent.rules.document import read
    from sre_agent.rules.recognise import recognised
    from tests.rules.linting import ROUTING

    for path, uri in ((f"{tmp_path}/a b.yaml", f"{tmp_path.as_uri()}/a%20b.yaml"), ("r/a b.yaml", "r/a%20b.yaml")):
        examined = examine(recognised(read(RULES, path)), ROUTING)
        result = as_sarif(examined, READ, "1")["runs"][0]["results"][0]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_the_json_report_says_the_same_with_offsets():
    told = as_json(linted(RULES, SUPPRESSED), READ)
    assert told["version"] == 1
    (infra,) = [f for f in told["findings"] if f["id"] == "SRA102" and f["line"] == 8]
    edit = infra["fix"]["edits"][0]
    assert (RULES[edit["start"] : edit["end"]], edit["text"]) == ('"Infra "', "infra")
    assert told["summary"]["errors"] == sum(f["severity"] == "error" and f["suppressed"] is None for f in told["findings"])
    assert told["summary"]["suppressed"] == 1
