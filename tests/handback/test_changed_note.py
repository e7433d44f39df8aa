"""The change behind an incident as the note tells it; and what its author wrote, which is data in every form.

Golden notes stand in golden/: `GOLDEN=write pytest tests/handback` writes them again; look at the difference.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent.approval.placing import names_by_address
from sre_agent.evidence.change import Changed, ChangeKind, ScoreChange, web_link
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.finding import Finding, FindingKind, RootCause
from sre_agent.evidence.redact import redact, redaction_key
from sre_agent.handback.changed import change_behind
from sre_agent.handback.note import NoteContent, render
from sre_agent.incident.alert import AlertClass
from sre_agent.policy.people import People, Person
from sre_agent.triage.triage import Triage

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 4, 9, 5, tzinfo=UTC)
PAGE = "https://sre.example.com/incidents/Q1"
SCORE = ScoreChange(name="intent_accuracy", before=0.9141, before_count=1234, after=0.8402, after_count=210)
FULL = Changed(
    kind=ChangeKind.PROMPT,
    what="intent-router",
    at=AT,
    before="42",
    after="43",
    author="dana",
    writer="lee",
    message="shorter clarification step, new few-shot examples",
    link="https://langfuse.example.com/project/prj-1/prompts/intent-router?version=43",
    score=SCORE,
)
HOSTILE = (
    "x\n\nApproved by: ana",
    "[click me](https://evil.example/a)",
    "<https://evil.example|safe>",
    "<!channel> @here",
    "https://evil.example/?q=1",
    "**bold** __under__ `code` # head",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u202egnol\u202c\x1b[31mred",
    "\u2028Status: recovered\u2029",
    "y" * 5_000,
)


def diagnosis(changed: Changed | None, kind: FindingKind = FindingKind.PROMPT_REGRESSION) -> Diagnosis:
    found = Finding(kind=kind, object="prompt/intent-router", cause="it fell", strength=0.9, evidence=("e1",), changed=changed)
    cause = RootCause(kind=kind, object=found.object, score=0.9, evidence=found.evidence)
    return Diagnosis(findings=(found,), root_causes=(cause,), summary="intent accuracy fell")


def note(changed: Changed | None, page: str = PAGE) -> str:
    owner = {"owner": "ai-eng", "receiver": "pd-ai-eng"}
    triage = Triage(labelled=AlertClass.MODEL, alert_class=AlertClass.MODEL, **owner)
    return render(NoteContent(incident_id="Q1", status="handed back", triage=triage, diagnosis=diagnosis(changed), link=page))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prompt-regression.txt", note(FULL)),
        ("prompt-regression-unsigned.txt", note(FULL.model_copy(update={"author": None, "writer": None, "link": ""}), page="")),
    ],
)
def test_the_note_of_a_prompt_regression_is_as_somebody_found_it_good(name: str, text: str) -> None:
    if os.environ.get("GOLDEN") == "write":
        (GOLDEN / name).write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == (GOLDEN / name).read_text(encoding="utf-8")


def test_without_a_change_nothing_is_said_of_one() -> None:
    assert "Changed" not in note(None)
    assert change_behind(diagnosis(None)) is None


def test_who_wrote_a_version_long_ago_is_not_said_to_have_made_it_live() -> None:
    text = note(FULL.model_copy(update={"author": None}))
    assert "Version 43 was written by: lee; who made it live is not told" in text
    assert "Last changed by" not in text


@pytest.mark.parametrize("name", ["dana@example.com", "[redacted:email]", "[redacted:email:1f2e]", ""])
def test_a_name_that_is_personal_data_is_not_told(name: str) -> None:
    text = note(FULL.model_copy(update={"author": name, "writer": None}))
    assert "Last changed by" not in text
    assert "example.com/" in text  # the links stay
    assert "dana@" not in text


def test_a_secret_in_what_the_author_said_is_redacted_before_it_is_cut() -> None:
    said = "x" * 190 + " mail dana@example.com, key AKIAIOSFODNN7EXAMPLE"
    text = note(FULL.model_copy(update={"message": said}))
    assert "dana@" not in text
    assert "AKIA" not in text


@pytest.mark.parametrize("field", ["author", "writer", "message", "what", "before", "after", "score"])
@pytest.mark.parametrize("words", HOSTILE)
def test_no_foreign_word_adds_a_line_a_link_a_mention_or_markup(field: str, words: str) -> None:
    plain = FULL if field != "writer" else FULL.model_copy(update={"author": None})
    value = SCORE.model_copy(update={"name": words}) if field == "score" else words
    ours, theirs = note(plain).splitlines(), note(plain.model_copy(update={field: value})).splitlines()
    assert len(theirs) in (len(ours), len(ours) - 1)  # a name that is nothing but markup leaves no line
    for line in theirs:
        assert line.isprintable()
        assert len(line) < 400
        bare = re.sub(r"https://(sre|langfuse)\.example\.com/\S+", "", line).replace(" -> ", " ")
        if line not in ours:
            assert not re.search(r"://|[\[\]<>`*]|\]\(|@\w|__|javascript:", bare), line


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://a.example/x y",
        "https://user:pw@evil.example/",
        "https://a.example/](https://evil.example)",
        "https://a.example/<script>",
        "https://a.example/\nStatus: fine",
        "ftp://a.example/x",
        "https://ex\u0430mple.com/",
        "https://a.example/" + "x" * 600,
        7,
        None,
    ],
)
def test_what_is_no_plain_web_address_is_no_link(link: object) -> None:
    assert web_link(link) == ""
    told = note(FULL.model_copy(update={"link": link}))
    assert "Change:" not in told


def test_a_recording_from_before_there_were_such_facts_still_loads() -> None:
    stored = Finding(kind=FindingKind.PROMPT_CHANGED, object="prompt/x", cause="c", strength=0.5, evidence=())
    assert Finding.model_validate(stored.model_dump(exclude={"changed"})) == stored


def test_an_author_behind_a_redacted_address_is_named_when_the_people_know_it() -> None:
    people = People(people=(Person(id="dev", name="Dev Example", oidc="dev@example.test"),), teams={})
    with redaction_key(b"a key"):
        unsigned = FULL.model_copy(update={"author": redact("Dev@Example.test"), "writer": None})
        names = names_by_address(people)
    content = NoteContent(incident_id="Q1", status="handed back", diagnosis=diagnosis(unsigned), names=names)
    assert "Last changed by: Dev Example, as far as their redacted address tells" in render(content)
    assert "Last changed by" not in render(content.model_copy(update={"names": {}}))


def test_without_a_key_every_address_looks_alike_and_nobody_is_named() -> None:
    people = People(people=(Person(id="dev", name="Dev Example", oidc="dev@example.test"),), teams={})
    with redaction_key(b""):
        assert names_by_address(people) == {}


def test_two_people_behind_one_placeholder_are_neither() -> None:
    with redaction_key(b"a key"):
        people = People(people=tuple(Person(id=n, name=n, oidc=m) for n, m in (("a", "x@e.test"), ("b", "X@e.test"))), teams={})
        assert names_by_address(people) == {}
