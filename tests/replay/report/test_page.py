"""The page: what is in it, that nothing in it is obeyed, that it is the same twice, and that it stays small."""

import io
import itertools
import re
import sys
import tracemalloc
from datetime import timedelta

from sre_agent.replay.expectation import HumanAction, HumanOutcome
from sre_agent.replay.html import write_page
from sre_agent.replay.replayed import Line, Replayed
from sre_agent.replay.report.details import Details
from sre_agent.replay.report.page import TEMPLATE, page_values
from sre_agent.replay.report.tally import Tally
from tests.replay.made import AT, made

EVIL = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>"
LINE = Line(evidence="e1", labels={"__name__": EVIL}, points=tuple((AT.timestamp() + n, float(n)) for n in range(-60, 1)))


def page(*cases: Replayed, most: int = 300) -> str:
    tally, details, out = Tally(), Details(io.BytesIO(), most), io.StringIO()
    for n, case in enumerate(cases):
        row = tally.add(case)
        if not row.error:
            details.add(n, row.severity, case)
    write_page(TEMPLATE, page_values(tally, details), out)
    return out.getvalue()


def evil() -> Replayed:
    outcome = HumanOutcome(
        actions=(HumanAction(at=AT + timedelta(minutes=1), by=EVIL, what=EVIL),), root_cause=EVIL, notes=EVIL, resolved_at=AT
    )
    done = made(
        {"action": "restart_pod", "name": EVIL},
        outcome,
        case=EVIL,
        note=EVIL,
        reasons=(EVIL,),
        policy_ids=(EVIL,),
        owner=EVIL,
        title=EVIL,
        service=EVIL,
        alert_names=(EVIL,),
        lines=(LINE,),
        answers=({"source": EVIL, "kind": "logs", "status": "error", "error": EVIL},),
        root_causes=({"kind": "pod_crash_loop", "object": EVIL, "namespace": EVIL, "score": 0.9, "evidence": (EVIL,)},),
        findings=({"id": "f1", "kind": "pod_crash_loop", "object": EVIL, "evidence": (EVIL,)},),
    )
    return done.model_copy(update={"place": EVIL, "warnings": (EVIL,)})


def test_a_strangers_text_is_shown_and_never_obeyed():
    told = page(evil(), Replayed(case=EVIL, place=EVIL, error=EVIL))
    assert "<script" not in told
    assert "<img" not in told
    assert "&lt;script&gt;alert(1)" in told


def test_the_page_stands_alone():
    told = page(made(case="a", lines=(LINE,)))
    assert "<script" not in told
    assert re.findall(r'(?:src|href)="(?!#)', told) == []
    assert "url(" not in told
    assert "@import" not in told


def test_the_same_cases_give_the_same_bytes():
    assert page(evil(), made(case="b")) == page(evil(), made(case="b"))


def test_a_case_is_told_with_what_happened_when_on_its_chart():
    outcome = HumanOutcome(
        acknowledged_at=AT + timedelta(minutes=2),
        actions=(HumanAction(at=AT + timedelta(minutes=4), by="ana", what="looked", action="restart_pod", target="pod/api-1"),),
    )
    told = page(made({"action": "restart_pod"}, outcome, lines=(LINE,), paged_at=AT - timedelta(seconds=20)))
    assert sorted(re.findall(r'class="k (\w+)"', told)) == ["agent", "onset", "page", "people", "people"]
    assert "restart pod</text>" in told
    when = told[told.index("<h4>When</h4>") :]
    assert when.index("incident created") < when.index("acknowledged") < when.index("ana")


def test_the_worst_are_told_in_full_and_it_says_how_many_are_not():
    other = HumanOutcome(actions=(HumanAction(at=AT, action="scale_up", target="deployment/api"),))
    cases = [made(case=f"well-{n}") for n in range(5)] + [made({"action": "restart_pod"}, other, case="wrong")]
    told = page(*cases, most=2)
    assert re.findall(r"<summary><h3>([^<]+)", told) == ["wrong", "well-0"]
    assert "4 of 6 cases are not told in full" in told
    assert "--json FILE" in told
    assert told.count('<th scope="row"><a href="#c') == 2
    assert all(f"well-{n}" in told for n in range(5))


def test_headings_follow_one_another():
    levels = [int(level) for level in re.findall(r"<h(\d)", page(made(case="a", lines=(LINE,)), evil()))]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


class Full(io.BytesIO):
    """A disk with no room."""

    def write(self, _: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_costs_the_details_and_not_the_report():
    tally, details, out = Tally(), Details(Full()), io.StringIO()
    for n in range(2):
        details.add(n, tally.add(made(case=f"c{n}")).severity, made(case=f"c{n}"))
    write_page(TEMPLATE, page_values(tally, details), out)
    assert "No space left on device" in out.getvalue()
    assert "c1" in out.getvalue()


def test_five_thousand_cases_stay_within_a_bounded_size():
    spool, most = io.BytesIO(), 50
    tally, details = Tally(), Details(spool, most)
    done = made(case="case", note="x" * 20_000, lines=(LINE,))
    details_line = len(done.model_dump_json(by_alias=True)) + 1
    tracemalloc.start()
    try:
        for n in range(5_000):
            details.add(n, tally.add(done.model_copy(update={"case": f"case-{n}"})).severity, done)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spool.getbuffer().nbytes == most * details_line
    assert held - sys.getsizeof(spool) < 5_000 * 2_000
    assert sum(len(e.cases) for e in tally.refusals.values()) == 5
