"""Ignore comments: only with a reason, only the finding that they name, and always told."""

from sre_agent.rules.finding import Severity
from tests.rules.linting import ids, linted

RULE = "- alert: A{0}\n  expr: sum(up) == 0{1}\n  labels: {{alert_type: infra, team: t, severity: ticket}}\n"


def hidden(*texts: str) -> list[tuple[str, str | None]]:
    return [(f.id, f.suppressed) for f in linted(*texts).findings if f.suppressed is not None]


def test_a_comment_on_the_line_or_right_above_it_hides_the_finding_and_keeps_its_reason():
    beside = RULE.format("  # sre-agent: ignore SRA401 it is slow by itself", "")
    above = "# sre-agent: ignore SRA401, SRA110: it is slow by itself\n# more\n" + RULE.format("", "")
    assert hidden(beside) == [("SRA401", "it is slow by itself")]
    assert hidden(above) == [("SRA110", "it is slow by itself"), ("SRA401", "it is slow by itself")]
    assert ids(linted(above)) == []


def test_a_comment_elsewhere_hides_nothing():
    assert "SRA401" in ids(linted(RULE.format("", "  # sre-agent: ignore SRA401 wrong line")))
    assert "SRA401" in ids(linted("# sre-agent: ignore SRA401 a line between\n\n" + RULE.format("", "")))
    assert "SRA401" in ids(linted(RULE.format("", "") + RULE.format("  # sre-agent: ignore SRA401 only me", "").replace("A", "B")))


def test_without_a_reason_nothing_is_hidden_and_that_is_said():
    examined = linted(RULE.format("  # sre-agent: ignore SRA401", ""))
    assert {"SRA401", "SRA005"} <= set(ids(examined))
    assert "SRA005" in ids(linted(RULE.format("  # sre-agent: ignore because", "")))
    assert "SRA005" in ids(linted(RULE.format("  # sre-agent: ignore SRA999 no such check", "")))


def test_a_comment_about_nothing_is_a_note():
    told = [f for f in linted(RULE.format("  # sre-agent: ignore SRA303 no quantile here", "")).open if f.id == "SRA005"]
    assert [f.severity for f in told] == [Severity.NOTE]
