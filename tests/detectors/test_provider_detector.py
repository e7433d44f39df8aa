"""Providers in the metric names of several worlds, and from the calls that the quality tracker saw."""

from datetime import timedelta

import pytest

from sre_agent.detectors.ai import provider
from sre_agent.evidence.finding_reason import FindingReason as R
from tests.detectors.ai_view import NOW, ONSET, counter, day, gauge, use, view


def found(*series, **more):
    return [(f.object, f.reason) for f in provider.detect(view(*series, **more))]


def pair(name, ok, bad, good=5.0, worse=4.0, **both):
    return counter(name, good, good - worse, **both, **ok), counter(name, 0.01, worse, **both, **bad)


GEN_AI = "gen_ai_client_operation_duration_seconds_count"
DIALECTS = [
    (pair(GEN_AI, {}, {"error_type": "timeout"}, gen_ai_system="openai", gen_ai_request_model="m"), "app/openai", R.TIMED_OUT),
    (pair(GEN_AI, {}, {"error_type": "RateLimitError"}, gen_ai_provider_name="anthropic"), "app/anthropic", R.RATE_LIMITED),
    (pair(GEN_AI, {}, {"error_type": "overloaded_error"}, gen_ai_provider_name="anthropic"), "app/anthropic", R.OVERLOADED),
    (
        (
            counter("litellm_deployment_total_requests_total", 5, 5, api_provider="azure", litellm_model_name="m"),
            counter(
                "litellm_deployment_failure_responses_total",
                *(0, 4),
                api_provider="azure",
                litellm_model_name="m",
                exception_status="401",
                exception_class="AuthenticationError",
            ),
        ),
        "app/azure",
        R.UNAUTHORIZED,
    ),
    (pair("llm_requests_total", {"status": "200"}, {"status": "529"}, provider="acme"), "app/acme", R.OVERLOADED),
    (
        pair("llm_requests_total", {"code": "200"}, {"code": "429", "error_type": "insufficient_quota"}, provider="acme"),
        "app/acme",
        R.QUOTA_EXCEEDED,
    ),
    (pair("openai_api_calls_total", {"outcome": "success"}, {"outcome": "timeout"}), "app/openai", R.TIMED_OUT),
    (pair("tts_requests_total", {"code": "200"}, {"code": "403"}, tts_provider="elevenlabs"), "app/elevenlabs", R.UNAUTHORIZED),
    (pair("stt_requests_total", {"result": "ok"}, {"result": "connection_error"}, vendor="acme"), "app/acme", None),
    (
        pair(
            "http_client_request_duration_seconds_count",
            {"http_response_status_code": "200"},
            {"http_response_status_code": "503"},
            server_address="api.deepgram.com",
        ),
        "app/deepgram",
        R.OVERLOADED,
    ),
]


@pytest.mark.parametrize(("series", "name", "reason"), DIALECTS, ids=lambda v: v if isinstance(v, str) else None)
def test_a_provider_is_found_in_the_names_of_every_dialect_with_its_reason(series, name, reason):
    assert found(*series) == [(name, reason)]


@pytest.mark.parametrize(("series", "name", "reason"), DIALECTS, ids=lambda v: v if isinstance(v, str) else None)
def test_the_same_dialects_say_nothing_of_a_provider_that_is_well(series, name, reason):
    calm = tuple(
        counter(s.name, 5, 6, **{k: v for k, v in s.labels.items() if k != "__name__"})
        if i == 0
        else counter(s.name, 0.02, 0.03, **{k: v for k, v in s.labels.items() if k != "__name__"})
        for i, s in enumerate(series)
    )
    assert found(*calm) == []


def test_one_error_of_three_requests_is_nothing():
    few = counter("llm_requests_total", 0, 1 / 1200, provider="acme", code="503")
    some = counter("llm_requests_total", 0, 2 / 1200, provider="acme", code="200")
    assert found(few, some) == []


def test_errors_that_grow_with_the_traffic_keep_their_share_and_are_nothing():
    assert (
        found(*(counter("llm_requests_total", *r, provider="acme", code=c) for c, r in (("200", (5, 50)), ("500", (0.4, 4))))) == []
    )


def test_a_burst_that_is_over_is_history():
    over = ONSET + timedelta(minutes=5)
    bad = counter("llm_requests_total", 0, 4, until=over, provider="acme", code="503")
    assert found(counter("llm_requests_total", 5, 5, provider="acme", code="200"), bad) == []


def test_requests_of_ours_that_are_wrong_are_not_the_providers_fault():
    assert found(*pair("llm_requests_total", {"status": "200"}, {"status": "400"}, provider="acme")) == []
    wrong = {"error_type": "ContextWindowExceededError"}
    assert found(*pair(GEN_AI, {}, wrong, gen_ai_system="openai")) == []


def test_what_is_left_of_a_limit_is_no_answer():
    left = counter("litellm_remaining_requests_rate_limit_total", 0, 9, api_provider="acme")
    assert found(counter("llm_requests_total", 5, 5, provider="acme", code="200"), left) == []


def test_one_failing_model_of_several_is_named_instead_of_the_provider():
    both = {"provider": "acme", "code": "200"}
    series = [counter("llm_requests_total", 5, 5, model=m, **both) for m in ("small", "large")]
    bad = counter("llm_requests_total", 0, 4, provider="acme", model="large", code="503")
    assert found(*series, bad) == [("app/large", R.OVERLOADED)]
    also = counter("llm_requests_total", 0, 4, provider="acme", model="small", code="503")
    assert found(*series, bad, also) == [("app/acme", R.OVERLOADED)]


def test_two_providers_that_become_unreachable_together_point_at_the_way_out():
    series = [s for p in ("acme", "zenith") for s in pair("llm_requests_total", {"code": "200"}, {"code": "504"}, provider=p)]
    results = provider.detect(view(*series))
    assert [(f.object, f.strength) for f in results] == [("app/acme", 0.5), ("app/zenith", 0.5)]
    assert all("our way out" in f.cause for f in results)


def test_disks_and_payment_companies_are_no_model_providers():
    disk = {"device": "sda", "model_name": "EVO 970"}
    assert found(*pair("smart_requests_total", {"code": "200"}, {"code": "500"}, **disk)) == []
    assert found(*pair("payments_requests_total", {"code": "200"}, {"code": "500"}, payment_provider="acme")) == []


@pytest.mark.parametrize(
    "name", ["vllm:time_to_first_token_seconds", "gen_ai_server_time_to_first_token_seconds", "litellm_llm_api_latency_metric"]
)
def test_a_slow_model_is_found_in_the_mean_of_a_histogram(name):
    calls = counter(f"{name}_count", 2, 2, model_name="own-7b")
    slow = counter(f"{name}_sum", 2 * 0.4, 2 * 1.6, model_name="own-7b")
    assert found(calls, slow) == [("app/own-7b", R.SLOW)]
    assert found(calls, counter(f"{name}_sum", 2 * 0.4, 2 * 0.6, model_name="own-7b")) == []


def test_more_calls_make_a_sum_grow_and_nothing_slow():
    name = "vllm:e2e_request_latency_seconds"
    assert found(counter(f"{name}_count", 2, 40, model_name="m"), counter(f"{name}_sum", 1, 20, model_name="m")) == []


def test_twice_of_almost_nothing_is_not_slow():
    assert found(gauge("llm_cache_latency_seconds_p95", 0.004, 0.02, provider="acme")) == []
    assert found(gauge("llm_latency_ms_p95", 400, 2000, provider="acme")) == [("app/acme", R.SLOW)]
    assert found(gauge("llm_latency_ms_p95", 4, 20, provider="acme")) == []


def test_failed_calls_in_langfuse_name_the_model_and_what_their_messages_say():
    rows = [*day(errors=1), use(0, 150, errors=60)]
    said = [
        {"message": "Error code: 529 - Overloaded", "timestamp": ONSET.isoformat(), "count": 40, "model": "nw-large-2"},
        {"message": "Request timed out.", "timestamp": ONSET.isoformat(), "count": 9, "model": "nw-large-2"},
        {"message": "invalid key", "timestamp": ONSET.isoformat(), "count": 90, "model": "other"},
    ]
    (only,) = provider.detect(view(langfuse={"models": rows, "errors": said}))
    assert (only.object, only.reason, only.evidence) == ("app/nw-large-2", R.OVERLOADED, ("e2",))
    assert "40% of 150" in only.cause
    assert "40 of 49 errors" in only.cause


@pytest.mark.parametrize(
    "last",
    [
        use(0, 150, errors=4),
        use(0, 3, errors=1),
        use(0, 1500, errors=40),
    ],
    ids=["four failures", "one of three", "three percent"],
)
def test_few_failed_calls_in_langfuse_are_nothing(last):
    assert found(langfuse={"models": [*day(errors=1), last]}) == []


def test_a_model_that_was_not_used_before_must_fail_as_no_model_does():
    (only,) = provider.detect(view(langfuse={"models": [use(0, 40, "nw-3", errors=20)]}))
    assert "hardly used before" in only.cause
    assert found(langfuse={"models": [use(0, 400, "nw-3", errors=60)]}) == []


def test_a_model_that_always_failed_as_often_is_nothing_new():
    assert found(langfuse={"models": [*day(errors=50), use(0, 200, errors=60)]}) == []


def test_failures_of_an_earlier_hour_that_are_over_are_history():
    rows = [*day(errors=0), use(0, 150, errors=60), use(-1, 150, errors=0)]
    assert found(langfuse={"models": [r for r in rows if r["timestamp"] <= NOW.isoformat()]}) != []
    later = view(langfuse={"models": rows})
    later = later.model_copy(update={"scope": later.scope.model_copy(update={"now": NOW + timedelta(hours=1)})})
    assert provider.detect(later) == ()


def test_a_slow_model_in_langfuse_is_late_unless_its_calls_got_longer():
    quiet = day(latency_p95_s=2.0, first_token_p95_s=0.5, tokens=500)
    slow = use(0, latency_p95_s=9.0, first_token_p95_s=2.5, tokens=500 * 200)
    assert found(langfuse={"models": [*quiet, slow]}) == [("app/nw-large-2", R.SLOW)]
    assert found(langfuse={"models": [*quiet, {**slow, "tokens": 1500 * 200}]}) == []
    assert found(langfuse={"models": [*quiet, {**slow, "latency_p95_s": 2.4, "first_token_p95_s": 0.6}]}) == []


def test_metrics_and_langfuse_that_see_the_same_side_make_one_finding_with_both():
    both = {"provider": "acme", "model": "nw-large-2"}
    series = pair("llm_requests_total", {"code": "200"}, {"code": "503"}, **both)
    (only,) = provider.detect(view(*series, langfuse={"models": [*day(errors=1), use(0, 150, errors=60)]}))
    assert (only.object, only.evidence) == ("app/acme", ("e1", "e2"))


@pytest.mark.parametrize(
    "payload", [{"models": 3}, {"models": [None, {"model": "m"}, {"model": "m", "count": -1}]}, ["odd"], "odd"]
)
def test_odd_shapes_are_passed_over(payload):
    assert found(langfuse=payload) == []


def test_late_first_tokens_without_a_providers_name_are_told_weakly_and_only_when_nobody_else_is_named():
    late = gauge("first_token_latency_seconds", 0.5, 2.0, vertical="healthcare", quantile="0.95")
    (only,) = provider.detect(view(late))
    assert (only.object, only.reason, only.strength) == ("app/healthcare", R.SLOW, 0.5)
    assert found(late, *pair("llm_requests_total", {"code": "200"}, {"code": "503"}, provider="acme")) == [
        ("app/acme", R.OVERLOADED)
    ]
    assert found(gauge("first_token_latency_seconds", 0.5, 0.6, vertical="healthcare", quantile="0.95")) == []
    assert found(gauge("http_request_latency_seconds", 0.5, 2.0, vertical="healthcare", quantile="0.95")) == []
