"""LOG_ERRORS_NEW and LOG_LINES_MISSING: what a log says only since the onset, and what it stopped saying."""

from datetime import UTC, datetime, timedelta

from sre_agent.detectors.signals.log_patterns import detect, surprise
from sre_agent.evidence.evidence import Evidence, EvidenceKind, EvidenceStatus
from sre_agent.evidence.finding import FindingKind
from sre_agent.evidence.logs.pattern import is_error, pattern
from sre_agent.evidence.source import Scope
from sre_agent.evidence.view import EvidenceView
from sre_agent.evidence.window import Window
from sre_agent.incident.incident import Incident, IncidentStatus, Reference

ONSET = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def lines(text, count, since, every=5):
    """`count` stamped lines from `since` seconds after the onset on; {i} is their number."""
    stamps = (ONSET + timedelta(seconds=since + every * i) for i in range(count))
    return [f"{at.isoformat()} {text.format(i=i)}" for i, at in enumerate(stamps)]


def found(*told, pod="cart-1"):
    return found_in({pod: told})


def found_in(pods):
    now = ONSET + timedelta(minutes=10)
    incident = Incident(id="Q1", status=IncidentStatus.TRIGGERED, created_at=ONSET, service=Reference(id="P1"))
    window = Window(start=ONSET - timedelta(hours=1), end=now)
    scope = Scope(incident=incident, now=now, onset=ONSET, window=window, change_window=window)
    evidence = tuple(
        Evidence(
            id=f"e{i}",
            source="x",
            kind=EvidenceKind.LOGS,
            query="",
            status=EvidenceStatus.OK,
            observed_at=now,
            payload={"namespace": "shop", "pod": pod, "container": "main", "lines": sorted(line for each in told for line in each)},
        )
        for i, (pod, told) in enumerate(pods.items(), 1)
    )
    return detect(EvidenceView(scope=scope, evidence=evidence))


USUAL = lines("INFO order {i} accepted", 60, -600), lines("INFO order {i} accepted", 60, 0)


def test_errors_that_were_never_written_before_are_found():
    (new,) = found(*USUAL, lines("ERROR no contact for order {i}", 5, 10))
    assert (new.kind, new.object, new.namespace, new.evidence) == (FindingKind.LOG_ERRORS_NEW, "pod/cart-1", "shop", ("e1",))
    assert new.onset == ONSET + timedelta(seconds=10)
    assert "ERROR no contact for order 0" in new.cause
    assert new.strength <= 0.4


def test_errors_that_were_always_there_are_no_news():
    assert found(*USUAL, lines("ERROR no contact for {i}", 5, -500), lines("ERROR no contact for {i}", 9, 10)) == ()


def test_two_new_errors_or_many_new_lines_that_are_no_errors_are_no_news():
    assert found(*USUAL, lines("ERROR no contact for {i}", 2, 10)) == ()
    assert found(*USUAL, lines("INFO refund {i} paid", 30, 10)) == ()


def test_without_a_before_nothing_is_new():
    assert found(lines("ERROR no contact for {i}", 50, 10)) == ()


def test_a_usual_line_that_is_gone_while_others_go_on_is_found():
    (gone,) = found(*USUAL, lines("INFO price of {i} told", 100, -600))
    assert (gone.kind, gone.object) == (FindingKind.LOG_LINES_MISSING, "pod/cart-1")
    assert "INFO price of # told" in gone.cause


def test_a_log_that_falls_silent_as_a_whole_does_not_miss_a_line():
    assert found(USUAL[0], lines("INFO price of {i} told", 60, -600), lines("INFO order {i} accepted", 2, 0)) == ()


def test_a_line_that_only_became_rarer_is_not_missing():
    assert found(*USUAL, lines("INFO price of {i} told", 60, -600), lines("INFO price of {i} told", 20, 0, every=15)) == ()


def test_of_many_pods_the_one_whose_log_changed_most_and_beyond_chance_is_told():
    rarer = (*USUAL, lines("INFO price of {i} told", 60, -600), lines("INFO price of {i} told", 20, 0, every=15))
    same = (*USUAL, lines("INFO price of {i} told", 60, -600), lines("INFO price of {i} told", 55, 0))
    pods = {f"p{i}-1": same for i in range(5)}
    (told,) = found_in(pods | {"cart-1": rarer})
    assert (told.kind, told.object, told.evidence) == (FindingKind.LOG_LINES_MISSING, "pod/cart-1", ("e6",))
    assert "50% of its log is 25% since the onset" in told.cause
    assert found_in(pods) == ()


def test_a_line_that_comes_many_times_as_often_is_found_and_one_that_grows_with_all_the_others_is_not():
    retried = lines("WARN connection to {i} lost, again", 3, -500), lines("WARN connection to {i} lost, again", 200, 0, every=1)
    (told,) = found(*USUAL, *retried)
    assert (told.kind, told.object) == (FindingKind.LOG_LINES_EXPLODING, "pod/cart-1")
    assert "WARN connection to #" in told.cause
    busy = lines("INFO order {i} accepted", 1200, 0, every=0.25), lines("WARN connection to {i} lost, again", 70, 0)
    assert found(USUAL[0], retried[0], *busy) == ()
    assert found(*USUAL, lines("WARN connection to {i} lost, again", 60, 0)) == ()  # it never came before, and is no error


def test_surprise_is_nothing_for_equal_shares_and_grows_with_what_differs():
    assert round(surprise(50, 100, 100, 200), 9) == 0.0
    assert surprise(0, 0, 5, 10) == surprise(10, 10, 10, 10) == 0.0
    assert surprise(60, 100, 30, 100) > surprise(60, 100, 50, 100) > 0
    assert round(surprise(35, 59, 0, 48), 1) == 55.5


def test_lines_without_times_and_odd_payloads_say_nothing():
    assert found(["ERROR x"] * 50, [""]) == ()
    assert found([]) == ()
    assert found(["2026-05-04T11:59:00Z x", "9999-99-99T99:99:99Z ERROR y", "\x00"]) == ()


def test_lines_of_one_statement_have_one_pattern():
    one = pattern('2026-05-04T12:00:00.123Z ERROR order 17 of "ann" [user: 4, x=1] 0xdeadbeef at 3fa85f64-5717-4562')
    two = pattern('2026-05-04T13:07:10Z ERROR order 9 of "bob" [user: 77, x=2] 0xfeedface at 9aa85f64-5717-4562')
    assert one == two
    assert pattern("ERROR no such order") != pattern("ERROR no such user")


def test_a_line_calls_itself_an_error_by_a_word_of_its_own():
    assert [line for line in ("ERROR x", "java.io Exception: y", "panic: z") if not is_error(line)] == []
    assert not is_error("INFO errorless run, terrors none")


def test_errors_that_began_in_the_minutes_before_a_late_onset_are_as_new_as_those_after_it():
    late = lines("ERROR no contact for order {i}", 40, -180)
    assert [f.kind for f in found(*USUAL, late)] == [FindingKind.LOG_ERRORS_NEW]
    assert found(*USUAL, lines("ERROR no contact for order {i}", 90, -400)) == ()


def test_a_log_that_reaches_back_only_a_few_minutes_is_judged_by_those():
    short = lines("INFO order {i} accepted", 40, -280), lines("INFO order {i} accepted", 60, 0)
    (new,) = found(*short, lines("ERROR no contact for order {i}", 5, 10))
    assert new.kind is FindingKind.LOG_ERRORS_NEW
