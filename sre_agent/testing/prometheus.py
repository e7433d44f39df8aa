"""A stand-in Prometheus on loopback: the HTTP API over series that a test or the demo appends while it runs.

Answers /api/v1/{query,query_range,rules,alerts,status/buildinfo} for bare selectors (`name{a="b",c=~"d.*"}`), and instant
queries of the forms `group by (a, b) (last_over_time(selector[1h]))`, `time()`, `max(timestamp(selector))` and `quantile(0.5,
count_over_time(selector[10m]))`, with the real envelope, five-minute lookback,
11,000-point limit and error shapes. Anything else of PromQL is answered as 400. /rules lists every rule whatever names are
asked for, as servers before 2.43 do.
Behaviour from https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sre_agent.testing.selector import BadQuery, parse_selector

LOOKBACK_S = 300.0
ALWAYS = "vector(1)"
MAX_POINTS = 11_000

_SUMMED = re.compile(r"(max\(timestamp|quantile\(0\.5, count_over_time)\((.+?)(?:\[(\d+)m\])?\)\)")
_GROUPED = re.compile(r"group by \(([\w, ]+)\) \(last_over_time\((.+)\[(\d+)h\]\)\)")

Labels = tuple[tuple[str, str], ...]


class Fault(StrEnum):
    """How the stand-in misbehaves. NAN answers every value as "NaN"; DROP closes the connection without an answer."""

    SLOW = "slow"
    UNPROCESSABLE = "unprocessable"
    UNAVAILABLE = "unavailable"
    HTML = "html"
    PLAIN_TEXT = "plain_text"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    TOO_MANY = "too_many"
    TRUNCATED = "truncated"
    NAN = "nan"
    DROP = "drop"


@dataclass(frozen=True)
class ThresholdRule:
    """An alerting rule `selector > above`, firing once it has held at the newest sample for `for_s` seconds.

    `expression` is what /rules shows instead, for rules that say the same in more words. The selector `vector(1)` always fires.
    """

    name: str
    selector: str
    above: float
    for_s: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()
    expression: str = ""


class PrometheusStandIn:
    """Start with `with PrometheusStandIn() as prometheus:`; `prometheus.url` is its address on 127.0.0.1.

    `now` gives unix seconds for queries that name no time. Thread-safe.
    """

    def __init__(self, now: Callable[[], float] = time.time, port: int = 0) -> None:
        self._now = now
        self._series: dict[Labels, list[tuple[float, float]]] = {}
        self._rules: list[ThresholdRule] = []
        self._lock = threading.Lock()
        self._fault: tuple[Fault, float] | None = None
        self._sick = "/"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="prometheus-stand-in", daemon=True)

    @property
    def url(self) -> str:
        """http://127.0.0.1:<port>."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> "PrometheusStandIn":
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "PrometheusStandIn":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def observe(self, name: str, labels: Mapping[str, str], value: float, at: float | datetime) -> None:
        """Append one sample, as a scrape would; samples of one series come in time order."""
        stamp = at.timestamp() if isinstance(at, datetime) else at
        key = tuple(sorted({**labels, "__name__": name}.items()))
        with self._lock:
            self._series.setdefault(key, []).append((stamp, value))

    def rule(self, rule: ThresholdRule) -> None:
        """Add an alerting rule; it is evaluated whenever /rules or /alerts is asked."""
        with self._lock:
            self._rules.append(rule)

    def fail(self, fault: Fault | None, seconds: float = 5.0, path: str = "/") -> None:
        """Misbehave from now on, on paths that begin so; None heals. `seconds` is how late SLOW answers."""
        self._fault, self._sick = None if fault is None else (fault, seconds), path

    def fault(self, path: str) -> tuple[Fault, float] | None:
        """The fault in force for a path, and its seconds."""
        return self._fault if path.startswith(self._sick) else None

    def answer(self, path: str, form: dict[str, str]) -> Mapping[str, Any]:
        """`data` of the envelope for one request. Raises BadQuery, or KeyError for a path that does not exist."""
        routes: dict[str, Callable[[dict[str, str]], Mapping[str, Any]]] = {
            "/api/v1/query": self._query,
            "/api/v1/query_range": self._query_range,
            "/api/v1/alerts": lambda _: {"alerts": [a for r in self._rules for a in self._alerts(r)]},
            "/api/v1/rules": self._listed_rules,
            "/api/v1/status/buildinfo": lambda _: {"version": "3.14.0", "revision": "stand-in"},
        }
        with self._lock:
            self.asked.append((path, form))
            return routes[path](form)

    def _matching(self, expression: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        predicates = parse_selector(expression)
        found = []
        for key, samples in self._series.items():
            labels = dict(key)
            if all(holds(labels.get(name, "")) for name, holds in predicates):
                found.append((labels, samples))
        return found

    def _query(self, form: dict[str, str]) -> Mapping[str, Any]:
        at = _time(form.get("time", str(self._now())), "time")
        summed = _SUMMED.fullmatch(query := form.get("query", ""))
        if summed is not None:
            value = self._summed(summed[1], summed[2], float(summed[3] or 5) * 60, at)
            return {"resultType": "vector", "result": [] if value is None else [{"metric": {}, "value": [at, self._text(value)]}]}
        if query == "time()":
            return {"resultType": "scalar", "result": [at, self._text(at)]}
        grouped = _GROUPED.fullmatch(query)
        if grouped is not None:
            names, span = [n.strip() for n in grouped[1].split(",")], float(grouped[3]) * 3600
            near = [m for m, samples in self._matching(grouped[2]) if any(at - span < t <= at for t, _ in samples)]
            groups = dict.fromkeys(tuple((n, m[n]) for n in names if n in m) for m in near)
            return {"resultType": "vector", "result": [{"metric": dict(g), "value": [at, "1"]} for g in groups]}
        rows = [(labels, _value_at(samples, at)) for labels, samples in self._matching(query)]
        return {"resultType": "vector", "result": [{"metric": m, "value": [at, self._text(v)]} for m, v in rows if v is not None]}

    def _summed(self, what: str, selector: str, span: float, at: float) -> float | None:
        """One number over all series of the last `span` seconds: the newest sample's time, or the median count of samples."""
        times = [[t for t, _ in samples if at - span < t <= at] for _, samples in self._matching(selector)]
        some = sorted((each for each in times if each), key=len)
        if not some:
            return None
        return max(map(max, some)) if what.startswith("max") else float(len(some[len(some) // 2]))

    def _query_range(self, form: dict[str, str]) -> Mapping[str, Any]:
        start, end = _time(form.get("start", ""), "start"), _time(form.get("end", ""), "end")
        step = _time(form.get("step", ""), "step")
        if step <= 0 or end < start:
            raise BadQuery('invalid parameter "step" or "end": zero or negative range')
        if (end - start) / step > MAX_POINTS:
            raise BadQuery(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
            )
        stamps = [start + i * step for i in range(int((end - start) / step + 1e-9) + 1)]
        result = []
        for labels, samples in self._matching(form.get("query", "")):
            values = [[t, self._text(v)] for t in stamps if (v := _value_at(samples, t)) is not None]
            if values:
                result.append({"metric": labels, "values": values})
        return {"resultType": "matrix", "result": result}

    def _text(self, value: float) -> str:
        """Prometheus prints numbers as strings, with its own spelling of the infinities."""
        if self._fault is not None and self._fault[0] is Fault.NAN:
            return "NaN"
        return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(str(value), f"{value:.15g}")

    def _alerts(self, rule: ThresholdRule) -> list[dict[str, Any]]:
        now, alerts = self._now(), []
        if rule.selector == ALWAYS:
            return [_alert(rule, {}, (now, 1.0), now)]
        for labels, samples in self._matching(rule.selector):
            past = [(t, v) for t, v in samples if t <= now]
            since = None
            for t, v in past:
                since = (t if since is None else since) if v > rule.above else None
            if since is None or now - past[-1][0] > LOOKBACK_S:
                continue
            alerts.append(_alert(rule, labels, past[-1], since) | ({} if now - since >= rule.for_s else {"state": "pending"}))
        return alerts

    def _listed_rules(self, _form: dict[str, str]) -> Mapping[str, Any]:
        rules = []
        for rule in self._rules:
            alerts = self._alerts(rule)
            state = "inactive" if not alerts else "firing" if any(a["state"] == "firing" for a in alerts) else "pending"
            rules.append(
                {
                    "type": "alerting",
                    "name": rule.name,
                    "query": rule.expression or (ALWAYS if rule.selector == ALWAYS else f"{rule.selector} > {rule.above:g}"),
                    "duration": rule.for_s,
                    "labels": dict(rule.labels),
                    "annotations": {},
                    "alerts": alerts,
                    "state": state,
                    "health": "ok",
                }
            )
        return {"groups": [{"name": "stand-in", "file": "stand-in.yml", "interval": 1, "rules": rules}]}


def _alert(rule: ThresholdRule, labels: Mapping[str, str], newest: tuple[float, float], since: float) -> dict[str, Any]:
    """One firing alert as /alerts shows it."""
    return {
        "labels": {k: v for k, v in labels.items() if k != "__name__"} | dict(rule.labels) | {"alertname": rule.name},
        "annotations": {},
        "state": "firing",
        "activeAt": datetime.fromtimestamp(since, UTC).isoformat(),
        "value": f"{newest[1]:e}",
    }


def _value_at(samples: list[tuple[float, float]], at: float) -> float | None:
    """The newest sample not older than the lookback, as an instant selector sees it."""
    newest = next((s for s in reversed(samples) if s[0] <= at), None)
    return newest[1] if newest is not None and at - newest[0] <= LOOKBACK_S else None


def _time(text: str, parameter: str) -> float:
    try:
        return float(text)
    except ValueError:
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError as error:
            raise BadQuery(f'invalid parameter "{parameter}": cannot parse {text!r} to a valid timestamp') from error


_ANSWERS: dict[Fault | None, tuple[int, str, str]] = {
    Fault.HTML: (200, "text/html", "<!doctype html><title>Sign in</title>"),
    Fault.PLAIN_TEXT: (502, "text/plain", "upstream connect error or disconnect/reset before headers"),
    Fault.UNAUTHORIZED: (401, "text/plain", "Unauthorized"),
    Fault.NOT_FOUND: (404, "text/plain", "404 page not found"),
    Fault.TOO_MANY: (429, "text/plain", "too many outstanding requests"),
    Fault.TRUNCATED: (200, "application/json", '{"status":"success","data":{"resultType":"vector","result":[{"met'),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], owner: PrometheusStandIn) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the stand-in."""


class _Handler(BaseHTTPRequestHandler):
    """GET and POST (form) alike, as the real API."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("content-length", "0"))).decode())

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; `asked` holds what was asked."""

    def _serve(self, query: str) -> None:
        fault, seconds = self.server.owner.fault(self.path) or (None, 0.0)
        if fault is Fault.DROP:
            self.close_connection = True
            return
        if fault is Fault.SLOW:
            time.sleep(seconds)
        if fault in _ANSWERS:
            self._send(*_ANSWERS[fault])
        elif fault is Fault.UNPROCESSABLE:
            self._error(422, "execution", "query processing would load too many samples into memory in query execution")
        elif fault is Fault.UNAVAILABLE:
            self._error(503, "timeout", "query timed out in expression evaluation")
        else:
            self._evaluate({k: v[-1] for k, v in parse_qs(query).items()})

    def _evaluate(self, form: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        try:
            data = self.server.owner.answer(path, form)
        except BadQuery as error:
            self._error(400, "bad_data", error.text)
        except KeyError:
            self._send(404, "text/plain", "404 page not found")
        else:
            self._send(200, "application/json", json.dumps({"status": "success", "data": data}))

    def _error(self, status: int, kind: str, text: str) -> None:
        self._send(status, "application/json", json.dumps({"status": "error", "errorType": kind, "error": text}))

    def _send(self, status: int, content_type: str, body: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
