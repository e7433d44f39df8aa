"""What logs say of what a program needs: what counts, what is over, and whose matter it is."""

import time
from datetime import timedelta

import pytest

from sre_agent.detectors.network.dependencies import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.logs.complaints import complaints, named
from sre_agent.incident.alert import AlertClass
from tests.detectors.neighbourhood import NOW, deployment, iso, log, only, pod, service, view


def told(line, *objects, times=3, **more):
    return detect(view(*objects, logs=[log([line] * times, **more)]))


@pytest.mark.parametrize(
    ("line", "host", "port"),
    [
        ("dial tcp 10.96.3.4:5432: connect: connection refused", "10.96.3.4", 5432),
        ("dial tcp: lookup redis on 10.96.0.10:53: i/o timeout", "10.96.0.10", 53),
        ("read tcp 10.1.2.3:40412->10.96.3.4:6379: read: connection reset by peer", "10.96.3.4", 6379),
        ("Error: connect ECONNREFUSED 10.96.3.4:5432 at TCPConnectWrap (node:net:1555:16)", "10.96.3.4", 5432),
        ("Error 111 connecting to redis:6379. Connection refused.", "redis", 6379),
        ('connection to server at "postgres" (10.0.0.5), port 5432 failed: Connection refused', "postgres", 5432),
        ("HTTPConnectionPool(host='pay.shop.svc', port=8080): Max retries exceeded: Connection refused", "pay.shop.svc", 8080),
        ("curl: (7) Failed to connect to payments port 8080 after 2 ms: Connection refused", "payments", 8080),
        ("2026-03-04T03:10:00Z ERROR main.go:41 POST http://pay:8080/charge: connection refused", "pay", 8080),
        ("pymongo: mongo:27017: [Errno 111] Connection refused", "mongo", 27017),
        ("java.net.ConnectException: Connection refused: redis/10.0.0.1:6379", "redis", 6379),
        ("Can't connect to MySQL server on 'mysql:3306' (111)", "mysql", 3306),
        ("2026-03-04 03:10:00 worker.py:88 connection refused", "", 0),
        ("at 12:30:59 something was refused", "", 0),
    ],
)
def test_the_host_and_port_that_a_line_complains_of(line, host, port):
    assert named(line) == (host, port)


def test_a_service_that_does_not_answer_is_named_with_who_calls_it():
    line = "dial tcp 10.96.3.4:5432: connect: connection refused"
    found = only(told(line, service("db", clusterIP="10.96.3.4"), pod("api")))
    assert (found.kind, found.object, found.reason) == (K.DEPENDENCY_DOWN, "service/db", R.CONNECTION_REFUSED)
    assert found.cause.startswith("service db (10.96.3.4:5432) does not answer deployment api, as its log says (3 times)")
    assert found.alert_class is AlertClass.UNKNOWN
    assert found.strength <= 0.6


def test_what_is_no_service_here_is_a_workload_of_that_name_or_an_app():
    assert only(told("connect to redis:6379: connection refused", deployment("redis"))).object == "deployment/redis"
    assert only(told("https://api.example.com:443/v1: connection timed out")).object == "app/api.example.com"
    assert only(told("connect ECONNREFUSED 127.0.0.1:8125")).object == "app/localhost"


def test_callers_of_one_target_are_one_finding():
    line = "Error 111 connecting to redis:6379. Connection refused."
    both = [log([line] * 2), log([line] * 2, pod="web-5d9f8b6c57-00001")]
    found = only(detect(view(service("redis"), pod("api"), pod("web"), logs=both)))
    assert "deployment api, deployment web" in found.cause
    assert found.evidence == ("e2", "e3")


@pytest.mark.parametrize(
    ("line", "kind", "reason", "thing"),
    [
        ('FATAL: password authentication failed for user "app"', K.DEPENDENCY_REFUSES, R.UNAUTHORIZED, "service/postgres"),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.1"', K.DEPENDENCY_REFUSES, R.UNAUTHORIZED, "service/postgres"),
        ("FATAL: sorry, too many clients already", K.DEPENDENCY_REFUSES, R.TOO_MANY_CONNECTIONS, "service/postgres"),
        ("ERROR: permission denied for table orders", K.DEPENDENCY_REFUSES, R.NO_PERMISSION, "service/postgres"),
        ("redis.AuthenticationError: WRONGPASS invalid username-password pair", K.DEPENDENCY_REFUSES, R.UNAUTHORIZED, "app/redis"),
        ("Access denied for user 'app'@'10.0.0.1' (using password: YES)", K.DEPENDENCY_REFUSES, R.UNAUTHORIZED, "app/mysql"),
        ("ERROR: cannot execute INSERT in a read-only transaction", K.DEPENDENCY_READ_ONLY, None, "service/postgres"),
        ("READONLY You can't write against a read only replica.", K.DEPENDENCY_READ_ONLY, None, "app/redis"),
        ("The MySQL server is running with the --read-only option", K.DEPENDENCY_READ_ONLY, None, "app/mysql"),
        ("https://pay.example.com/x: x509: certificate has expired", K.CERTIFICATE_EXPIRED, None, "app/pay.example.com"),
        ("PKIX path building failed", K.CERTIFICATE_EXPIRED, None, "deployment/api"),
        ('pods is forbidden: User "system:serviceaccount:shop:a" cannot', K.PERMISSION_DENIED, R.NO_PERMISSION, "deployment/api"),
        ("open /data/x: permission denied", K.PERMISSION_DENIED, R.NO_PERMISSION, "deployment/api"),
        ("QueuePool limit of size 5 overflow 10 reached", K.POOL_EXHAUSTED, None, "deployment/api"),
        ("HikariPool-1 - Connection is not available, request timed out after 30000ms", K.POOL_EXHAUSTED, None, "deployment/api"),
        ("POST https://api.example.com/v1 429 Too Many Requests", K.RATE_LIMITED, R.RATE_LIMITED, "app/api.example.com"),
        ("** (Mnesia) inconsistent_database, running_partitioned_network, rabbit@b", K.BROKER_PARTITIONED, None, "deployment/api"),
    ],
)  # fmt: skip
def test_each_complaint_has_a_kind_a_reason_and_an_object(line, kind, reason, thing):
    found = only(told(line, service("postgres"), pod("api")))
    assert (found.kind, found.reason, found.object) == (kind, reason, thing)
    assert found.strength <= 0.6


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fatal: failed to parse config file /etc/app.yaml", R.SETTINGS_REJECTED),
        ("nginx: [emerg] unknown directive \"listne\" in /etc/nginx/nginx.conf:3", R.SETTINGS_REJECTED),
        ("Error: environment variable DATABASE_URL is not set", R.ENV_MISSING),
        ("KeyError: 'STRIPE_KEY'", R.ENV_MISSING),
    ],
)  # fmt: skip
def test_settings_count_only_where_the_program_did_not_start_with_them(line, reason):
    assert told(line, pod("api")) == ()
    found = only(told(line, pod("api", up=False), times=1))
    assert (found.kind, found.reason) == (K.CONFIG_INVALID, reason)
    assert only(told(line, previous=True, times=1)).kind is K.CONFIG_INVALID


@pytest.mark.parametrize(
    "lines",
    [
        ["connection refused by policy of the house"] * 3,  # by nobody that is named
        ["dial tcp db:5432: connection refused"],  # once, by a healthy pod
        ["dial tcp db:5432: connection refused"] * 5 + ["connected to db:5432"],
        ["dial tcp db:5432: connection refused"] * 5 + ["served"] * 100,
        ["INFO client http://db:5432 ready (connect timeout 5s)"] * 5,
        ['{"level":"info","msg":"http://db:5432 connection timeout is 5s"}'] * 5,
        ["GET /partition 200", "reading config from /etc/app", "pool size 5", "certificate loaded"] * 3,
    ],
)
def test_what_is_over_or_only_sounds_like_it_is_silent(lines):
    assert detect(view(service("db"), pod("api"), logs=[log(lines)])) == ()


def test_a_complaint_long_before_the_newest_line_is_over_and_a_fresh_one_is_not():
    def stamped(minutes, text):
        return f"{iso(NOW - timedelta(minutes=minutes))} {text}"

    old = [stamped(40 - i, "dial tcp db:5432: connection refused") for i in range(5)]
    assert detect(view(logs=[log([*old, *(stamped(20 - i, "served") for i in range(20))])])) == ()
    fresh = [stamped(9 - i, "dial tcp db:5432: connection refused") for i in range(5)]
    assert only(detect(view(logs=[log(fresh)]))).onset == NOW - timedelta(minutes=9)


def test_one_line_of_a_pod_that_is_in_trouble_is_enough():
    assert only(told("dial tcp db:5432: connection refused", pod("api", up=False), times=1)).object == "app/db"


def test_a_hostile_or_enormous_log_costs_little():
    lines = ["timeout " + "a" * 100_000, "connect " * 20_000 + "timed out", "://" + "x@" * 50_000, "refused " + "9." * 50_000] * 50
    began = time.process_time()
    complaints(lines)
    assert time.process_time() - began < 0.5


def test_logs_of_odd_shapes_are_skipped():
    odd = [
        {"lines": None},
        {"lines": [None, 3, "x"]},
        {"lines": "text"},
        {},
        {"lines": ["dial tcp db:5432: connection refused"] * 2},
    ]
    assert only(detect(view(logs=odd))).object == "app/db"
