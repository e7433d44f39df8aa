"""Reports of tools beside kubectl: what is read, what only looks like it, and what is no report at all."""

import json
from datetime import UTC, datetime

import pytest

from sre_agent.evidence.finding_kind import FindingKind as K
from sre_agent.evidence.told.json_reports import json_reports
from sre_agent.evidence.told.report import Asked
from sre_agent.evidence.told.tool_reports import reports

ASKED = Asked("pod/x-0", "shop", datetime(2026, 3, 4, 10, 0, tzinfo=UTC))
KAFKA = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID\nbill orders 0 {at} 5000 {lag} {who}\n"
PSQL = (
    " pid | state | blocked_by | query\n-----+-----+-----+-----\n 11 | {state} | {{}} | UPDATE a\n 12 | active | {by} | UPDATE a\n"
)
CERTIFICATE = "subject=CN = shop.example\nnotAfter={} GMT\n"


def kinds(text):
    return [r.kind for r in reports(text, ASKED)]


@pytest.mark.parametrize("status", ["failed", "pending-upgrade", "pending-rollback"])
def test_a_release_that_is_not_deployed_is_told(status):
    text = f"NAME: cart\nLAST DEPLOYED: Wed Mar  4 09:12:44 2026\nNAMESPACE: shop\nSTATUS: {status}\nREVISION: 3\n"
    [report] = reports(text, ASKED)
    assert (report.kind, report.object) == (K.DELIVERY_OUT_OF_SYNC, "app/cart")
    assert kinds(text.replace(status, "deployed")) == []


def test_an_old_failed_revision_below_a_deployed_one_is_history():
    head = "REVISION\tUPDATED\tSTATUS\tCHART\tAPP VERSION\tDESCRIPTION\n"
    failed, well = "4\tMon\tfailed\tcart-1\t1\tUpgrade failed: timed out\n", "5\tTue\tdeployed\tcart-2\t2\tUpgrade complete\n"
    assert kinds(head + failed + well) == []
    assert kinds(head + well.replace("5", "3", 1) + failed) == [K.DELIVERY_OUT_OF_SYNC]


def test_lag_is_told_with_group_topic_and_number_and_a_consumer_at_work_is_not():
    [report] = reports(KAFKA.format(at=1000, lag=4000, who="c-1"), ASKED)
    assert (report.kind, report.object) == (K.CONSUMER_LAGGING, "queue/orders")
    assert "bill is 4000 behind on topic orders, partition 0, consumer c-1" in report.cause
    assert kinds(KAFKA.format(at=4990, lag=10, who="c-1")) == []
    assert "no consumer is there" in reports(KAFKA.format(at=4990, lag=10, who="-"), ASKED)[0].cause
    assert kinds(KAFKA.format(at=5000, lag=0, who="-")) == []


def test_a_redis_at_its_limit_is_told_and_one_that_may_evict_or_has_room_is_not():
    text = "redis_version:7\nrole:master\nused_memory:{}\nmaxmemory:1000\nmaxmemory_policy:{}\n"
    assert kinds(text.format(999, "noeviction")) == [K.REDIS_MEMORY_FULL]
    assert kinds(text.format(999, "allkeys-lru")) == []
    assert kinds(text.format(500, "noeviction")) == []
    assert kinds("redis_version:7\nrole:slave\nmaster_link_status:up\n") == []


def test_the_session_that_blocks_others_is_told_and_one_that_only_idles_is_not():
    [report] = reports(PSQL.format(state="idle in transaction", by="{11}"), ASKED)
    assert (report.kind, "session 11 is idle in transaction" in report.cause) == (K.POSTGRES_LOCKED, True)
    assert kinds(PSQL.format(state="idle in transaction", by="{}")) == []


def test_a_certificate_is_told_after_its_day_and_not_before():
    assert kinds(CERTIFICATE.format("Mar  1 00:00:00 2026")) == [K.CERTIFICATE_EXPIRED]
    assert kinds(CERTIFICATE.format("Apr  1 00:00:00 2026")) == []
    assert kinds(CERTIFICATE.format("Xyz 99 00:00:00 2026")) == []


def test_curl_that_got_through_says_nothing():
    assert kinds("* Connected to shop.example (10.0.0.1) port 443\n< HTTP/2 200\n") == []
    assert kinds("curl: (6) Could not resolve host: shop.exampel\n") == [K.DNS_FAILING]
    assert kinds("curl: (23) Failure writing output to destination\n") == []


def test_a_quota_with_room_and_a_node_with_memory_left_say_nothing():
    quota = "Name: q\nNamespace: n\nResource  Used  Hard\n--------  ----  ----\npods  {}  10\nlimits.memory 1Gi 2Gi\n"
    assert kinds(quota.format(10)) == [K.POD_CREATION_REFUSED]
    assert kinds(quota.format(9)) == []
    top = "NAME CPU(cores) CPU% MEMORY(bytes) MEMORY%\nn1 3900m 99% 1000Mi {}%\n"
    assert kinds(top.format(97)) == [K.NODE_PRESSURE]
    assert kinds(top.format(60)) == []


def test_a_resource_whose_controller_is_content_says_nothing():
    head = "Name: t\nNamespace: n\nAPI Version: x/v1\nKind: Kustomization\nStatus:\n"
    text = head + "  Conditions:\n    Message: {}\n    Reason: R\n    Status: {}\n    Type: Ready\n"
    assert kinds(text.format("applied", "True")) == []
    assert kinds(text.format("no such path", "False")) == [K.DELIVERY_OUT_OF_SYNC]


def span(number, parent, service, ms, error=False):
    tags = [{"key": "error", "value": True}] if error else []
    references = [{"refType": "CHILD_OF", "spanID": parent}] if parent else []
    return {
        "spanID": number,
        "references": references,
        "operationName": f"op-{number}",
        "duration": ms * 1000,
        "tags": tags,
        "processID": service,
    }


def trace(*spans):
    processes = {s["processID"]: {"serviceName": s["processID"]} for s in spans}
    return [{"data": [{"spans": list(spans), "processes": processes}]}]


def told(documents):
    return [(r.kind, r.object) for r in json_reports(documents, ASKED)]


def test_of_a_trace_the_deepest_failure_is_told_else_what_took_the_time_by_itself():
    failed = trace(span("a", "", "web", 900, error=True), span("b", "a", "stock", 800, error=True), span("c", "a", "tax", 10))
    assert told(failed) == [(K.SERVICE_FAILING, "service/stock")]
    assert told(trace(span("a", "", "web", 4000), span("b", "a", "stock", 3900))) == [(K.SERVICE_SLOW, "service/stock")]
    assert told(trace(span("a", "", "web", 40), span("b", "a", "stock", 39))) == []


def test_alerts_that_fire_are_told_and_those_that_rest_or_fire_on_purpose_are_not():
    alert = {
        "labels": {"alertname": "DiskFull", "node": "n1"},
        "annotations": {"summary": "2 % left"},
        "status": {"state": "active"},
    }
    assert told([[alert]]) == [(K.RELATED_ALERT, "node/n1")]
    assert told([[{**alert, "status": {"state": "suppressed"}}]]) == []
    assert told([[{**alert, "labels": {"alertname": "Watchdog"}}]]) == []


def test_a_database_that_is_available_and_a_yellow_cluster_say_nothing():
    database = {"DBInstances": [{"DBInstanceIdentifier": "d", "DBInstanceStatus": "storage-full", "Engine": "postgres"}]}
    assert told([database]) == [(K.POSTGRES_DISK_FULL, "postgres/d")]
    assert told([json.loads(json.dumps(database).replace("storage-full", "available"))]) == []
    assert told([{"cluster_name": "s", "status": "yellow", "unassigned_shards": 3}]) == []


@pytest.mark.parametrize(
    "document",
    [None, 3, [], {}, {"data": 1}, {"data": [1, {"spans": 1, "processes": []}]}, {"batches": [{"scopeSpans": [{"spans": [{}]}]}]},
     {"DBInstances": [1, {}]}, [{"labels": {"alertname": 1}, "state": "firing", "annotations": 3}]],
)  # fmt: skip
def test_odd_documents_do_not_raise(document):
    assert isinstance(json_reports([document], ASKED), list)


@pytest.mark.parametrize(
    "text", ["", "\x00", "|||", "GROUP TOPIC PARTITION LAG\n", "pid | state\n | \n", "curl: (7) ", "NAME: x\nSTATUS:\n"]
)
def test_odd_texts_say_nothing(text):
    assert [r for r in reports(text, ASKED) if r.kind is not K.DEPENDENCY_DOWN] == []
