"""Prometheus: it answers, what it holds is fresh, and it is asked as finely as it scrapes."""

from sre_agent.sources.prometheus_api import PrometheusApi, PrometheusEndpoint
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, plain
from sre_agent.wiring.doctor.verdict import Seen, ago, broken, judged_skew, ok, warning

UP = "up"
NEWEST = f"max(timestamp({UP}))"
SCRAPES = f"quantile(0.5, count_over_time({UP}[10m]))"
SPAN_S = 600.0
STALE_S = 120.0


def _api(connections: Connections) -> PrometheusApi:
    s = connections.settings
    token, tenant = plain(s.prometheus_token), s.prometheus_tenant or ""
    return PrometheusApi(PrometheusEndpoint(s.prometheus_url or "", token=token, tenant=tenant, timeout_s=connections.request_s))


async def _answers(connections: Connections) -> Seen:
    api = _api(connections)
    async with api.session() as session:
        version = await api.version(session)
        await api.instant(session, UP, connections.now)
    return ok(f"it answers queries{f', version {version}' if version else ''}")


async def _fresh(connections: Connections) -> Seen:
    api = _api(connections)
    async with api.session() as session:
        now = await api.clock(session)  # by its own clock: whether that is right is another check
        newest = await api.number(session, NEWEST, now)
    if newest is None:
        return warning(
            "it has no series `up` of the last five minutes: it scrapes nothing, or metrics are pushed to it",
            "If it should scrape, look at its page Status > Targets; is this the right server, or the right tenant?",
        )
    age = max(0.0, now.timestamp() - newest)
    if age > STALE_S:
        return broken(f"its newest sample is {ago(age)} old", "Look at its page Status > Targets, and at its disk.")
    return ok(f"the newest scrape is {ago(age)} old")


async def _clock(connections: Connections) -> Seen:
    api = _api(connections)
    async with api.session() as session:
        before = connections.now
        told = await api.clock(session)
        middle = before + (connections.now - before) / 2
    return judged_skew((told - middle).total_seconds(), "Prometheus")


async def _interval(connections: Connections) -> Seen:
    api, step = _api(connections), connections.settings.prometheus_min_step
    async with api.session() as session:
        scrapes = await api.number(session, SCRAPES, connections.now)
    if not scrapes or scrapes < 2:
        return warning("it has too few scrapes of the last ten minutes to tell how often it scrapes", "Ask again in ten minutes.")
    interval = SPAN_S / scrapes
    said = f"it scrapes every {interval:.0f} s, and is asked every {step:g} s at the finest"
    if interval > 1.5 * step:
        return warning(said, f"Set SRE_AGENT_PROMETHEUS_MIN_STEP to {interval:.0f}: finer steps only repeat samples.")
    return ok(said)


_URL = ("PROMETHEUS_URL",)
_WITH = ("PROMETHEUS_TOKEN", "PROMETHEUS_TENANT")
_STEP = ("SRE_AGENT_PROMETHEUS_MIN_STEP",)
_ASK = "Check the address (with its path prefix, for Mimir /prometheus), the token and the tenant; then `curl` it from here."
_ANSWERS = "prometheus.answers"
CHECKS = (
    Check("prometheus", "answers", "A query is answered.", _answers, _ASK, _URL, about=_WITH),
    Check("prometheus", "fresh", "It has samples of the last two minutes.", _fresh, _ASK, _URL, after=_ANSWERS),
    Check("prometheus", "clock", "Its clock and this machine's agree.", _clock, _ASK, _URL, after=_ANSWERS),
    Check("prometheus", "interval", "It is not asked more finely than it scrapes.", _interval, _ASK, _URL, _STEP, _ANSWERS),
)
