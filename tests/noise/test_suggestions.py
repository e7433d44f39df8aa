import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.noise.change import Change, Kind, Sent
from sre_agent.noise.review import review
from sre_agent.noise.snippet import snippet
from sre_agent.noise.suggestion import effect, sent_as_they_came, suggestions
from tests.noise.made import at, page

UTC_ZONE = ZoneInfo("UTC")
HOLD_3 = Change(Kind.HOLD, "LatencyHigh", "voice", timedelta(minutes=3))


def kinds(pages):
    return [(s.kind, s.rule) for s in suggestions(sorted(pages, key=lambda p: p.created_at))]


def kept(change, pages):
    return [one.page.id for one in change.applied(sent_as_they_came(pages))]


def test_a_page_that_is_over_at_the_end_of_the_hold_wakes_nobody_and_a_second_later_it_does():
    pages = [page(1, 0, 3), page(2, 100, 3 + 1 / 60), page(3, 200, None)]
    sent = HOLD_3.applied(sent_as_they_came(pages))
    assert [(s.page.id, s.later) for s in sent] == [("Q00002", timedelta(minutes=3)), ("Q00003", timedelta(minutes=3))]


def test_a_change_concerns_its_own_rule_and_service_alone():
    pages = [page(1, 0, 1, rule="Other"), page(2, 0, 1, service="chat")]
    assert kept(HOLD_3, pages) == ["Q00001", "Q00002"]


def test_a_merge_counts_from_the_page_that_was_sent():
    merge = Change(Kind.MERGE, "LatencyHigh", "voice", timedelta(minutes=15))
    assert kept(merge, [page(1, 0), page(2, 10), page(3, 15), page(4, 16), page(5, 31)]) == ["Q00001", "Q00004"]


def test_a_cost_alert_pages_above_five_times_its_baseline_and_not_at_five():
    digest = Change(Kind.DIGEST, "LatencyHigh", "voice")
    pages = [page(n, n, cost=True, cost_ratio=ratio) for n, ratio in enumerate((5.0, 5.01, None))]
    assert kept(digest, pages) == ["Q00001"]


def test_deleting_is_suggested_only_where_nobody_ever_acted_and_all_ended_by_themselves():
    useless = [page(n, n * 120, 20) for n in range(10)]
    assert kinds(useless) == [(Kind.DELETE, "LatencyHigh")]
    assert (Kind.DELETE, "LatencyHigh") not in kinds(useless[:9])
    unknown = [*useless[:9], page(9, 2000, 20, acted=None)]
    assert (Kind.DELETE, "LatencyHigh") not in kinds(unknown)
    assert (Kind.DELETE, "LatencyHigh") not in kinds([*useless, page(99, 3000, 20, acted=True)])


def test_the_shortest_hold_that_spares_nearly_as_much_is_suggested_with_what_it_costs():
    pages = [*(page(n, n * 120, 2.5) for n in range(6)), page(7, 1000, 40, acted=True, by_itself=False)]
    (told,) = suggestions(pages)
    assert (told.kind, told.span_s) == (Kind.HOLD, 180.0)
    assert (told.effect.before, told.effect.after, told.effect.acted_later, told.effect.latest_s) == (7, 1, 1, 180.0)
    assert told.effect.acted_lost == 0
    assert "BUT 1 acted-upon pages would have come up to 3 min later" in told.why
    assert "; 7 of them are infra, so its owners decide; BUT" in told.why
    assert "for: 3m" in told.change


def test_no_hold_is_suggested_that_would_swallow_a_page_somebody_acted_upon():
    pages = [*(page(n, n * 120, 2.5) for n in range(6)), page(7, 1000, 1.5, acted=True)]
    assert Kind.HOLD not in [kind for kind, _ in kinds(pages)]


def test_an_alert_that_comes_and_goes_gets_a_burn_rate_rule():
    pages = [page(n, n * 20, 16, acted=n == 0) for n in range(12)]
    (told,) = suggestions(pages)
    assert told.kind is Kind.BURN
    assert "11 of 12 pages were the same alert again within the hour" in told.why
    assert told.effect.after == 3  # at 0, 80 and 160 minutes: one in each long window


def test_pages_on_top_of_an_open_one_are_merged_over_the_shortest_window_that_does_most():
    pages = [page(n, n * 4, 300, acted=True, by_itself=False, group=str(n)) for n in range(10)]
    (told,) = suggestions(pages)
    assert (told.kind, told.span_s) == (Kind.MERGE, 900.0)
    assert (told.effect.after, told.effect.acted_lost) == (3, 7)  # at 0, 16 and 32 minutes
    assert "BUT 7 acted-upon pages would not have come as pages of their own" in told.why


def test_a_rule_without_labels_is_told_and_loses_no_page():
    (told,) = suggestions([page(1, 0, labels={"alert_type": "tool"}, wrong_team=True)])
    assert (told.kind, told.effect.before, told.effect.after) == (Kind.LABEL, 1, 1)
    assert "without severity, team, tool_name" in told.why
    assert "1 were acknowledged by a team that does not own them" in told.why
    assert "tool_name: ..." in told.change


def test_too_few_pages_tell_no_habit():
    assert kinds([page(n, n * 120, 1) for n in range(4)]) == []


def test_nothing_is_spared_twice_when_all_suggestions_are_taken_together():
    pages = [page(n, n * 120, 20, labels={}) for n in range(10)]
    told = review(pages, (at(-1), at(5000)), UTC_ZONE)
    assert [s.kind for s in told.suggestions] == [Kind.DELETE, Kind.LABEL]
    assert (told.together.before, told.together.after) == (10, 0)


def test_a_review_counts_each_page_once_within_its_time_and_day_by_day():
    pages = [page(1, 0), page(1, 0), page(2, 13 * 60, night=True), page(3, -10)]
    told = review(pages, (at(0), at(24 * 60)), ZoneInfo("Europe/Berlin"), {"log entries: not allowed with this key": 2})
    assert (told.pages, told.night, told.zone) == (2, 1, "Europe/Berlin")
    assert [(d.day, d.pages) for d in told.days] == [("2026-11-23", 1), ("2026-11-24", 1)]
    assert told.problems == {"log entries: not allowed with this key": 2}


def test_an_empty_time_is_an_empty_review():
    told = review([], (at(0), at(1)), UTC_ZONE)
    assert (told.pages, told.rules, told.suggestions, told.together.before) == (0, (), (), 0)


drawn = st.lists(
    st.builds(
        page,
        st.integers(0, 10_000),
        st.integers(0, 3_000),
        st.one_of(st.none(), st.integers(0, 90)),
        rule=st.sampled_from(["A", "B"]),
        group=st.sampled_from(["g", "h"]),
        acted=st.sampled_from([True, False, None]),
        cost=st.booleans(),
        cost_ratio=st.sampled_from([None, 1.0, 9.0]),
    ),
    max_size=40,
    unique_by=lambda p: p.id,
)


@given(drawn)
def test_no_change_ever_sends_more_or_earlier_and_together_they_spare_no_page_twice(pages):
    told = review(pages, (at(-1), at(10_000)), UTC_ZONE)
    assert told.pages == len(pages)
    for one in told.suggestions:
        assert one.effect.after <= one.effect.before
        assert one.effect.night_after <= one.effect.night_before
    assert told.together.before == len(pages)
    assert told.together.after <= min((len(pages) - s.effect.before + s.effect.after for s in told.suggestions), default=len(pages))
    assert sum(d.after for d in told.days) == told.together.after


@given(drawn, st.sampled_from(list(Kind)), st.integers(0, 90))
def test_what_is_kept_was_sent_before_and_comes_no_earlier(pages, kind, minutes):
    before = sent_as_they_came(sorted(pages, key=lambda p: (p.created_at, p.id)))
    after = Change(kind, "A", "voice", timedelta(minutes=minutes)).applied(before)
    assert {s.page.id for s in after} <= {s.page.id for s in before}
    assert all(isinstance(s, Sent) and s.at >= s.page.created_at for s in after)
    assert effect([s.page for s in before], []).after == len(before)


def test_money_goes_to_the_digest_and_what_is_soon_over_is_held_before_anything_is_deleted():
    spikes = [page(n, n * 120, 20, rule="CostSpike", cost=True, cost_ratio=2.0) for n in range(12)]
    short = [page(20 + n, n * 120, 2) for n in range(12)]
    assert kinds([*spikes, *short]) == [(Kind.DIGEST, "CostSpike"), (Kind.HOLD, "LatencyHigh")]


def test_a_hold_spares_nobody_a_page_that_a_person_ended_or_of_which_nobody_knows_who_did():
    pages = [page(1, 0, 1, by_itself=False), page(2, 100, 1, by_itself=None), page(3, 200, 1)]
    assert kept(HOLD_3, pages) == ["Q00001", "Q00002"]


def test_a_spared_page_of_which_nobody_knows_whether_somebody_acted_is_said():
    (told,) = suggestions([page(n, n * 120, 2, acted=None if n < 2 else False) for n in range(6)])
    assert (told.kind, told.effect.unknown_lost, told.effect.acted_lost) == (Kind.HOLD, 2, 0)
    assert "BUT of 2 spared pages nobody can say whether somebody acted upon them" in told.why


def test_two_tools_or_two_classes_are_never_merged_into_one_page():
    merge = Change(Kind.MERGE, "LatencyHigh", "voice", timedelta(minutes=15))
    labels = [{"alert_type": "tool", "tool_name": "crm"}, {"alert_type": "tool", "tool_name": "calendar"}, {"alert_type": "model"}]
    pages = [page(n, n, labels=labels[n % 3]) for n in range(6)]
    assert kept(merge, pages) == ["Q00000", "Q00001", "Q00002"]


@given(st.sampled_from(list(Kind)), st.text(max_size=30))
def test_every_snippet_is_yaml_and_a_name_in_it_stays_one_name(kind, rule):
    read = yaml.safe_load(snippet(Change(kind, rule, "voice", timedelta(minutes=5)), ("team", "tool_name")))
    rules = [one for one in read if "alert" in one]
    if kind is not Kind.DIGEST:
        assert [one["alert"] for one in rules] in ([], [rule])
    for route in (one for one in read if "matchers" in one):
        (matcher,) = route["matchers"]
        assert json.loads(matcher.removeprefix("alertname="), strict=False) == rule


def test_ten_thousand_pages_are_reviewed_with_every_page_in_its_place():
    pages = [page(n, n, 2 + n % 7, rule=f"Rule{n % 40}", service=f"s{n % 5}", acted=n % 9 == 0) for n in range(10_000)]
    told = review(pages, (at(-1), at(10_001)), UTC_ZONE)
    assert told.pages == sum(r.pages for r in told.rules) == sum(d.pages for d in told.days) == 10_000
    assert told.together.after < 10_000
    assert told == review(reversed(pages), (at(-1), at(10_001)), UTC_ZONE)
