"""Tokens per call and cost per hour: spikes, and busy hours that are none."""

from datetime import timedelta

import pytest

from sre_agent.detectors.ai.usage import detect
from sre_agent.evidence.finding import FindingKind as K
from tests.detectors.ai_view import ONSET, counter, day, use, view


def found(*series, models=()):
    return [(f.kind, f.object) for f in detect(view(*series, langfuse={"models": list(models)} if models else None))]


TOKENS = day(tokens=500)
COST = day(cost_usd=0.01)  # about 2 USD an hour


def test_calls_with_many_times_the_tokens_are_a_spike_of_their_prompt_and_not_of_the_model_again():
    rows = [r | {"prompt": "triage", "version": "3"} for r in TOKENS]
    rows.append(use(0, 100, prompt="triage", version="3", tokens=2500 * 100))
    (only,) = detect(view(langfuse={"models": rows}))
    assert (only.kind, only.object) == (K.TOKEN_SPIKE, "prompt/triage")
    assert "2500 tokens each" in only.cause
    assert found(models=[r | {"prompt": None} for r in rows]) == [(K.TOKEN_SPIKE, "app/nw-large-2")]


@pytest.mark.parametrize(
    "last",
    [
        use(0, 2000, tokens=500 * 2000),
        use(0, 200, tokens=900 * 200),
        use(0, 15, tokens=5000 * 15),
        use(0, 200),
    ],
    ids=["ten times the calls", "less than twice", "too few calls", "nobody counted"],
)
def test_more_traffic_and_small_growth_are_no_token_spike(last):
    assert found(models=[*TOKENS, last]) == []


def test_an_hour_as_heavy_as_one_before_is_no_spike():
    assert found(models=[use(13, 200, tokens=2400 * 200), *TOKENS, use(0, 200, tokens=2500 * 200)]) == []


def test_two_quiet_hours_are_too_few_to_say_anything():
    assert found(models=[*TOKENS[-2:], use(0, 200, tokens=5000 * 200)]) == []


def test_cost_beyond_five_times_the_hours_before_is_a_spike_and_exactly_five_times_is_none():
    flat = [use(h, 100, cost_usd=2.0) for h in range(12, 0, -1)]
    assert found(models=[*flat, use(0, 100, cost_usd=10.02)]) == [(K.COST_SPIKE, "app/nw-large-2")]
    assert found(models=[*flat, use(0, 100, cost_usd=10.0)]) == []


def test_five_times_almost_nothing_is_nothing():
    cheap = [use(h, 100, cost_usd=0.02) for h in range(12, 0, -1)]
    assert found(models=[*cheap, use(0, 100, cost_usd=0.5)]) == []


def test_a_busy_morning_that_was_as_busy_yesterday_is_no_spike():
    nights = [use(h, 20, cost_usd=0.3) for h in range(12, 0, -1)]
    morning = use(0, 900, cost_usd=9.0)
    assert found(models=[*nights, morning]) == [(K.COST_SPIKE, "app/nw-large-2")]
    assert found(models=[use(24, 850, cost_usd=8.5), *nights, morning]) == []


def test_calls_per_conversation_that_multiply_are_told_as_a_loop():
    rows = [*(r | {"traces": r["count"] // 3} for r in COST), use(0, 3000, cost_usd=40.0, traces=100)]
    (only,) = detect(view(langfuse={"models": rows}))
    assert only.kind is K.COST_SPIKE
    assert "each conversation makes 30 calls" in only.cause
    assert "loop" in only.cause
    same = [*(r | {"traces": r["count"] // 3} for r in COST), use(0, 3000, cost_usd=40.0, traces=1000)]
    assert "loop" not in detect(view(langfuse={"models": same}))[0].cause


def test_a_cost_spike_that_ended_hours_ago_is_history():
    early = view(langfuse={"models": [*COST, use(0, 3000, cost_usd=40.0), use(-1, cost_usd=2.0), use(-2, cost_usd=2.0)]})
    assert len(detect(early)) == 1
    later = early.scope.model_copy(update={"now": ONSET + timedelta(hours=3)})
    assert detect(early.model_copy(update={"scope": later})) == ()


@pytest.mark.parametrize(
    ("requests", "tokens", "labels"),
    [
        ("gen_ai_client_operation_duration_seconds_count", "gen_ai_client_token_usage_sum", {"gen_ai_request_model": "m"}),
        ("litellm_requests_metric_total", "litellm_total_tokens_metric_total", {"model": "m"}),
        ("vllm:request_success_total", "vllm:generation_tokens_total", {"model_name": "m"}),
    ],
)
def test_tokens_per_call_come_from_counters_of_every_dialect(requests, tokens, labels):
    calls = counter(requests, 2, 2, **labels)
    assert found(calls, counter(tokens, 1000, 4000, **labels)) == [(K.TOKEN_SPIKE, "app/m")]
    assert found(counter(requests, 2, 8, **labels), counter(tokens, 1000, 4000, **labels)) == []
    assert found(calls, counter(tokens, 1000, 1500, **labels)) == []


def test_tokens_left_of_a_limit_are_no_tokens_used():
    calls = counter("litellm_requests_metric_total", 2, 2, model="m")
    assert found(calls, counter("litellm_remaining_tokens_total", 1000, 9000, model="m")) == []


def test_cost_counters_are_read_per_hour():
    spend = {"model": "m"}
    assert found(counter("litellm_spend_metric_total", 0.001, 0.006, **spend)) == [(K.COST_SPIKE, "app/m")]
    assert found(counter("litellm_spend_metric_total", 0.001, 0.004, **spend)) == []
    assert found(counter("litellm_spend_metric_total", 0.00001, 0.0001, **spend)) == []
