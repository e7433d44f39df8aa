from sre_agent.noise.numbers import by_rule, by_service, duplicated, flapped, missing_labels, quantile, stormed
from tests.noise.made import at, page


def test_a_rule_that_fires_again_within_the_hour_for_the_same_group_flaps():
    first, again, late = page(1, 0, 2), page(2, 62, 2), page(3, 125, 2)  # 60 min after the end; 61 min after the end
    assert flapped([first, again, late]) == {"Q00002"}
    assert flapped([first, page(2, 10, 2, group="other")]) == frozenset()
    assert flapped([first, page(2, 10, 2, rule="Other")]) == frozenset()
    assert flapped([page(1, 0, None), page(2, 10)]) == frozenset()


def test_a_page_on_top_of_an_open_one_of_its_rule_is_a_duplicate():
    assert duplicated([page(1, 0, 10), page(2, 9), page(3, 20)]) == {"Q00002"}
    assert duplicated([page(1, 0, 10), page(2, 10)]) == frozenset()  # it had just ended
    assert duplicated([page(1, 0, None), page(2, 500)]) == {"Q00002"}
    assert duplicated([page(1, 0, 10), page(2, 5, service="chat")]) == frozenset()


def test_the_numbers_of_a_rule_are_over_what_is_known():
    pages = [
        page(1, 0, 2),
        page(2, 200, 30, by_itself=False, acted=True, acknowledged_at=at(203), night=True, wrong_team=True),
        page(3, 400, 4, by_itself=None, acted=None),
        page(4, 600, None),
        page(5, 800, 1, rule="Other"),
    ]
    row, other = by_rule(pages)
    assert (row.rule, row.pages, row.share) == ("LatencyHigh", 4, 0.8)
    assert (row.known_ends, row.self_resolved) == (2, 0.5)
    assert (row.known_acts, row.acted_upon) == (3, 1 / 3)
    assert (row.acknowledge_s_median, row.resolve_s_median, row.resolve_s_p90) == (180.0, 240.0, 1800.0)
    assert (row.night, row.wrong_team, row.flaps, row.duplicates, row.noise) == (1, 1, 0, 0, 2)
    assert row.examples == ("Q00001", "Q00004")
    assert (other.rule, other.pages) == ("Other", 1)
    (service,) = by_service(pages)
    assert (service.rule, service.service, service.pages, service.noise) == ("", "voice", 5, 3)


def test_the_noisiest_rule_comes_first():
    quiet = [page(n, n * 100, rule="Quiet", acted=True) for n in range(9)]
    loud = [page(50 + n, n * 100, rule="Loud") for n in range(2)]
    assert [r.rule for r in by_rule(sorted([*quiet, *loud], key=lambda p: p.created_at))] == ["Loud", "Quiet"]


def test_labels_count_as_missing_when_empty_or_no_class():
    assert missing_labels([page(1, 0)]) == ()
    assert missing_labels([page(1, 0, labels={"alert_type": "Infra ", "team": " ", "severity": "page"})]) == ("alert_type", "team")
    tool = {"alert_type": "tool", "team": "x", "severity": "page"}
    assert missing_labels([page(1, 0, labels=tool)]) == ("tool_name",)
    assert missing_labels([page(1, 0, labels={**tool, "tool_name": "crm"})]) == ()


def test_a_quantile_is_a_value_that_was_there():
    assert quantile([], 0.5) is None
    assert quantile([3.0], 0.9) == 3.0
    assert (quantile([4, 1, 3, 2], 0.5), quantile([4, 1, 3, 2], 0.9)) == (2, 4)


def test_clocks_that_run_backwards_make_no_negative_times():
    (row,) = by_rule([page(1, 0, -5, acknowledged_at=at(-1))])
    assert (row.resolve_s_median, row.acknowledge_s_median) == (0.0, 0.0)


def test_labels_that_did_not_arrive_are_not_called_missing():
    assert missing_labels([page(1, 0, labels={}, labels_known=False)]) == ()


def test_a_storm_is_five_pages_of_a_service_within_five_minutes_and_the_first_is_no_part_of_it():
    near = [page(n, n * 1.25, rule=f"R{n}") for n in range(5)]
    assert stormed(near) == {f"Q{n:05}" for n in (1, 2, 3, 4)}
    assert stormed(near[:4]) == frozenset()
    assert stormed([*near[:4], page(4, 5.1)]) == frozenset()
    assert stormed([*near[:4], page(4, 4, service="chat")]) == frozenset()
    long = [page(n, n, rule=f"R{n}") for n in range(30)]
    assert stormed(long) == {p.id for p in long[1:]}


def test_wake_ups_are_people_told_at_night_of_what_is_urgent():
    pages = [page(1, 0, night=True, notified=3), page(2, 100, night=True, notified=0), page(3, 200, notified=5)]
    (row,) = by_rule([*pages, page(4, 300, night=True, urgency="low", notified=2)])
    assert (row.night, row.wake_ups) == (3, 4)
