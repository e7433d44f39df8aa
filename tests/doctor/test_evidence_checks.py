"""Prometheus, Alertmanager, Loki, Langfuse, the model and what is outside, through stand-ins' real HTTP."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.testing.alertmanager import AlertmanagerStandIn
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.testing.langfuse import PUBLIC_KEY, SECRET_KEY, LangfuseStandIn
from sre_agent.testing.loki import LokiStandIn
from sre_agent.testing.openai import REFUSED_KEY, OpenAIStandIn, fails, says
from sre_agent.testing.prometheus import Fault, PrometheusStandIn
from sre_agent.wiring.doctor.connections import Terms
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING, looked, one


def scraped(prometheus: PrometheusStandIn, every_s: float, until_s: float = 5.0) -> None:
    """An hour of `up`, scraped every so often, the last time `until_s` seconds ago."""
    end = datetime.now(UTC).timestamp() - until_s
    for n in range(int(900 / every_s), -1, -1):
        prometheus.observe("up", {"job": "api"}, 1.0, end - n * every_s)


async def test_a_prometheus_that_is_well():
    with PrometheusStandIn() as prometheus:
        scraped(prometheus, 15)
        found = await looked("prometheus", {"PROMETHEUS_URL": prometheus.url})
    assert {r.status for r in found.values()} == {OK}
    assert found["prometheus.answers"].found == "it answers queries, version 3.14.0"
    assert "every 15 s" in found["prometheus.interval"].found


async def test_steps_finer_than_scrapes_are_told_with_the_right_number():
    with PrometheusStandIn() as prometheus:
        scraped(prometheus, 60)
        found = await one("prometheus.interval", {"PROMETHEUS_URL": prometheus.url})
    assert (found.status, "SRE_AGENT_PROMETHEUS_MIN_STEP to 60" in found.todo) == (WARNING, True)


@pytest.mark.parametrize(("until_s", "status"), [(5, OK), (150, BROKEN), (900, WARNING)])
async def test_old_samples_and_none_are_told(until_s, status):
    with PrometheusStandIn() as prometheus:
        scraped(prometheus, 15, until_s)
        found = await one("prometheus.fresh", {"PROMETHEUS_URL": prometheus.url})
    assert found.status is status


async def test_a_prometheus_whose_clock_is_off_is_told_and_its_samples_are_not_blamed():
    with PrometheusStandIn(now=lambda: datetime.now(UTC).timestamp() - 600) as prometheus:
        scraped(prometheus, 15, until_s=605)
        found = await looked("prometheus", {"PROMETHEUS_URL": prometheus.url})
    assert (found["prometheus.clock"].status, found["prometheus.fresh"].status) == (BROKEN, OK)
    assert "behind this machine" in found["prometheus.clock"].found


@pytest.mark.parametrize("fault", [f for f in Fault if f not in (Fault.NAN, Fault.SLOW)])
async def test_a_prometheus_that_fails_or_lies_is_broken(fault):
    with PrometheusStandIn() as prometheus:
        prometheus.fail(fault)
        found = await looked("prometheus", {"PROMETHEUS_URL": prometheus.url})
    assert found["prometheus.answers"].status is BROKEN
    assert {r.status for n, r in found.items() if n != "prometheus.answers"} == {SKIPPED}


async def test_a_store_without_buildinfo_is_no_trouble():
    with PrometheusStandIn() as prometheus:
        prometheus.fail(Fault.NOT_FOUND, path="/api/v1/status")
        assert (await one("prometheus.answers", {"PROMETHEUS_URL": prometheus.url})).found == "it answers queries"


async def test_nothing_prometheus_says_is_a_number_is_not_taken_for_one():
    with PrometheusStandIn() as prometheus:
        prometheus.observe("up", {}, 1.0, datetime.now(UTC))
        prometheus.fail(Fault.NAN)
        found = await looked("prometheus", {"PROMETHEUS_URL": prometheus.url})
    assert OK not in {found["prometheus.fresh"].status, found["prometheus.interval"].status}


async def test_alertmanager_is_well_or_its_cluster_is_settling():
    with AlertmanagerStandIn() as alertmanager:
        settings = {"ALERTMANAGER_URL": alertmanager.url}
        assert (await one("alertmanager.answers", settings)).found == "version 0.34.0, cluster ready"
        alertmanager.cluster = "settling"
        assert (await one("alertmanager.answers", settings)).status is WARNING
        assert {a.method for a in alertmanager.asked} == {"GET"}


async def test_loki_is_well_empty_or_labelled_by_nobody():
    settings: dict[str, str] = {}
    with LokiStandIn() as loki:
        settings["LOKI_URL"] = loki.url
        assert (await one("loki.answers", settings)).status is WARNING
        loki.write({"filename": "/var/log/x"}, datetime.now(UTC) - timedelta(minutes=1), "hello")
        assert "none of which names" in (await one("loki.answers", settings)).found
        loki.write({"namespace": "voice", "pod": "api-0"}, datetime.now(UTC) - timedelta(minutes=1), "hello")
        assert (await one("loki.answers", settings)).status is OK


async def test_loki_without_its_tenant_is_broken_and_says_what_is_missing():
    with LokiStandIn(tenants=["eu"]) as loki:
        found = await one("loki.answers", {"LOKI_URL": loki.url})
        assert (found.status, "no org id" in found.found, "LOKI_TENANT" in found.todo) == (BROKEN, True, True)


def langfuse_settings(server: LangfuseStandIn, **changed: str) -> Mapping[str, str]:
    return {"LANGFUSE_HOST": server.url, "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY, **changed}


async def test_a_langfuse_that_is_well():
    with LangfuseStandIn() as langfuse:
        found = await looked("langfuse", langfuse_settings(langfuse))
    assert {r.status for r in found.values()} == {OK}
    assert found["langfuse.health"].found == "healthy, version 3.140.0"


async def test_wrong_langfuse_keys_are_told_though_the_server_is_healthy():
    with LangfuseStandIn() as langfuse:
        found = await looked("langfuse", langfuse_settings(langfuse, LANGFUSE_SECRET_KEY="sk-lf-wrong"))
    assert (found["langfuse.health"].status, found["langfuse.reads"].status) == (OK, BROKEN)
    assert "sk-lf-wrong" not in str(found)


async def test_a_langfuse_that_is_too_old_or_too_new_is_explained():
    with LangfuseStandIn() as langfuse:
        langfuse.unknown_routes = {"/api/public/v2/metrics", "/api/public/v2/observations"}
        old = await one("langfuse.reads", langfuse_settings(langfuse))
        langfuse.unknown_routes = set()
        langfuse.retire()
        new = await one("langfuse.reads", langfuse_settings(langfuse))
    assert (old.status, "too old" in old.found, "v2/metrics" in old.found, "v2/observations" in old.found) == (
        BROKEN,
        True,
        True,
        True,
    )
    assert (new.status, "upgrade this adapter" in new.found) == (BROKEN, True)


def model_settings(server: OpenAIStandIn, **changed: str) -> Mapping[str, str]:
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-ours", "OPENAI_MODEL": "stand-in", **changed}


async def test_a_model_that_is_listed_is_well_and_is_not_called():
    with OpenAIStandIn([says("ok")]) as server:
        assert (await one("model.endpoint", model_settings(server))).found == "the key is accepted, and stand-in is listed"
        assert server.requests == []


async def test_a_model_is_called_for_one_token_only_when_asked():
    with OpenAIStandIn([says("ok"), fails(404)]) as server:
        called = Terms(20.0, call_model=True)
        assert (await one("model.endpoint", model_settings(server), terms=called)).found == "stand-in answered a call"
        assert server.requests == [{"model": "stand-in", "messages": [{"role": "user", "content": "ok"}], "max_tokens": 1}]
        assert (await one("model.endpoint", model_settings(server), terms=called)).status is BROKEN


async def test_a_model_that_is_not_listed_a_refused_key_and_a_server_without_a_list():
    with OpenAIStandIn([says("ok")]) as server:
        assert (await one("model.endpoint", model_settings(server, OPENAI_MODEL="gpt-0"))).status is WARNING
        refused = await one("model.endpoint", model_settings(server, OPENAI_API_KEY=REFUSED_KEY))
        assert (refused.status, REFUSED_KEY in str(refused)) == (BROKEN, False)
        server.models = None
        unlisted = await one("model.endpoint", model_settings(server))
        assert (unlisted.status, "--call-model" in unlisted.todo) == (OK, True)


async def test_rules_need_no_model():
    assert (await one("model.endpoint", {})).status is SKIPPED


class Site(HttpStandIn):
    """Some paths with JSON of a test."""

    def __init__(self, **pages: object) -> None:
        super().__init__()
        self.pages = pages

    def answer(self, asked: Asked) -> Reply:
        page = self.pages.get(asked.path.rpartition("/")[2].replace("-", "_"))
        return Reply(404, "not found", "text/plain") if page is None else Reply(200, json.dumps(page))


async def test_a_public_address_that_reaches_the_agent_or_something_else():
    with Site(healthz={"alive": True}) as site:
        here = await one("outside.public_url", {"SRE_AGENT_PUBLIC_URL": site.url})
        assert (here.status, "from this machine only" in here.found) == (WARNING, True)
        site.pages = {"healthz": {"status": "UP"}}
        assert (await one("outside.public_url", {"SRE_AGENT_PUBLIC_URL": site.url})).status is BROKEN


async def test_an_issuer_that_calls_itself_otherwise_is_broken():
    with Site() as site:
        client = {"SRE_AGENT_OIDC_CLIENT_ID": "sre", "SRE_AGENT_PUBLIC_URL": "https://sre.test"}
        settings = {"SRE_AGENT_OIDC_ISSUER": site.url, **client}
        assert (await one("outside.sign_in", settings)).status is BROKEN
        site.pages = {"openid_configuration": {"issuer": "https://elsewhere.test"}}
        assert (await one("outside.sign_in", settings)).status is BROKEN
        site.pages = {"openid_configuration": {"issuer": site.url}}
        assert (await one("outside.sign_in", settings)).status is OK


async def test_a_collector_is_reached_whatever_it_says_to_a_get():
    with Site() as site:
        assert (await one("outside.traces", {"SRE_AGENT_TRACE_URL": f"{site.url}/v1/traces"})).status is OK
    assert (await one("outside.traces", {"SRE_AGENT_TRACE_URL": f"{site.url}/v1/traces"})).status is BROKEN


async def test_the_heartbeat_is_set_or_not_and_never_pinged():
    with Site(cap={}) as site:
        found = await one("outside.heartbeat", {"SRE_AGENT_HEARTBEAT_URL": f"{site.url}/cap"})
        assert (found.status, site.asked) == (OK, [])
    assert (await one("outside.heartbeat", {})).status is WARNING
    assert (await one("outside.heartbeat", {"SRE_AGENT_HEARTBEAT_URL": "http://monitor.test/cap"})).status is WARNING
