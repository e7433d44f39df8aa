"""Addresses in settings that differ from the Services there are."""

import pytest

from sre_agent.detectors.network.dependency_addresses import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.finding_reason import FindingReason as R
from sre_agent.evidence.kubernetes.addresses import Address, addresses, inside, nearest, service_named
from sre_agent.incident.alert import AlertClass
from tests.detectors.neighbourhood import log, meta, only, pod, service, variables, view

DB = service("postgres", ports=((5432, 5432),))


def test_a_misspelled_host_names_the_service_that_was_meant():
    found = only(detect(view(DB, pod("api", up=False, container=variables(DB_HOST="postgress", DB_PORT="5432")))))
    assert (found.kind, found.object, found.reason) == (K.DEPENDENCY_ADDRESS_WRONG, "app/postgress", R.NAME_NOT_FOUND)
    assert "DB_HOST names postgress, but there is no service postgress here; there is postgres" in found.cause
    assert (found.strength, found.alert_class) == (0.6, AlertClass.UNKNOWN)


def test_a_wrong_port_is_about_the_service_and_names_the_right_one():
    found = only(detect(view(DB, pod("api", up=False, container=variables(URL="postgres://u@postgres.shop.svc:5433/x")))))
    assert (found.object, found.reason) == ("service/postgres", R.PORT_WRONG)
    assert "postgres.shop.svc:5433, but service postgres has port 5432" in found.cause


def test_a_caller_that_is_well_makes_it_context():
    assert only(detect(view(DB, pod("api", container=variables(DB_HOST="postgress"))))).strength < 0.5


@pytest.mark.parametrize(
    "container",
    [
        variables(DB_HOST="postgres", DB_PORT="5432"),
        variables(URL="postgres://u:p@postgres.shop.svc.cluster.local:5432/x"),
        variables(DB_HOST="postgres-0.postgres"),
        variables(DB_HOST="db.example.com", LOG_SERVER="syslog", MODE="postgress"),
        variables(DB_HOST="postgress.other.svc"),
        variables(DB_HOST="localhost", HOST="0.0.0.0"),
        variables(DB_HOST="x" * 1000),
        {"env": None},
    ],
)
def test_right_addresses_and_those_of_elsewhere_are_silent(container):
    assert detect(view(DB, pod("api", up=False, container=container))) == ()


def test_what_names_its_own_service_tells_where_it_listens():
    own = service("api", ports=((80, 8080),))
    assert detect(view(own, pod("api", up=False, container=variables(APP_HOST="api", APP_PORT="8080")))) == ()


def test_headless_services_have_no_port_to_miss_and_aliases_are_names_too():
    headless = service("postgres", ports=((5432, 5432),), clusterIP="None")
    assert detect(view(headless, pod("api", up=False, container=variables(URL="x://postgres:5433")))) == ()
    alias = [{"ip": "10.0.0.1", "hostnames": ["postgress"]}]
    assert detect(view(DB, pod("api", up=False, container=variables(DB_HOST="postgress"), hostAliases=alias))) == ()


def test_values_of_config_maps_count_as_variables_do():
    config = {"kind": "ConfigMap", "metadata": meta("settings"), "data": {"DB_HOST": "postgress", "other": "x"}}
    whole = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
    one = {"env": [{"name": "DB_HOST", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "DB_HOST"}}}]}
    for container in (whole, one):
        assert "postgress" in only(detect(view(DB, config, pod("api", up=False, container=container)))).cause


def test_a_name_that_was_asked_for_in_vain_counts_when_a_service_is_called_nearly_so():
    line = 'could not translate host name "postgress" to address: Name or service not known'
    found = only(detect(view(DB, logs=[log([line])])))
    assert (found.object, found.evidence) == ("app/postgress", ("e2", "e1"))
    for quiet in ("lookup kafka: no such host", "lookup postgres on 10.0.0.10:53: no such host", "lookup postgress ok"):
        assert detect(view(DB, logs=[log([quiet])])) == ()


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("http://pay:8080/x", "pay", 8080),
        ("redis://:[redacted:value]@cache:6379/0", "cache", 6379),
        ("kafka-0:9092", "kafka-0", 9092),
        ("amqp://mq", "mq", 0),
    ],
)
def test_addresses_are_read_from_urls_pairs_and_hosts(value, host, port):
    (found,) = addresses({"containers": [variables(X=value)]}, {})
    assert (found.host, found.port) == (host, port)


def test_lists_are_several_addresses_and_plain_words_are_none():
    spec = {"containers": [variables(BROKERS="a1:9092,b1:9092", MODE="production", IMAGE="repo/app:12", TIME="10:30")]}
    assert addresses(spec, {}) == (Address("BROKERS", "a1", 9092), Address("BROKERS", "b1", 9092))


def test_names_mean_services_as_cluster_dns_resolves_them():
    known = {("shop", "db"): 1, ("other", "db"): 1}
    assert service_named("db", "shop", known) == ("shop", "db")
    assert service_named("db.other.svc.cluster.local", "shop", known) == ("other", "db")
    assert service_named("db-0.db", "shop", known) == ("shop", "db")
    assert service_named("db-0.db.other", "shop", known) == ("other", "db")
    assert service_named("web", "shop", known) is None
    assert (inside("db", "shop"), inside("db.shop.svc", "shop"), inside("db.com", "shop")) == ("db", "db", None)


def test_nearness_is_a_slip_of_the_pen_or_a_part_of_the_name():
    assert nearest("postgress", ["postgres", "redis"]) == "postgres"
    assert nearest("redis", ["redis-master"]) == "redis-master"
    assert nearest("orders", ["payments", "api"]) is None
    assert nearest("a", ["b"]) is None
