"""Labels come out of PagerDuty alerts in four wire shapes, exactly as sent, or not at all."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_agent.incident.alert import AlertStatus
from sre_agent.intake.alert_details import alert_from_alertmanager, alerts_from_any, alerts_from_rest

LABELS = {"alertname": "RedisMemoryHigh", "alert_type": "infra", "namespace": "voice", "redis_master": "cache"}
ANNOTATIONS = {"summary": "memory above 90%", "query": "sum by (x) (a) = 3"}
TEXT = (
    "Labels:\n - alertname = RedisMemoryHigh\n - alert_type = infra\n - namespace = voice\n - redis_master = cache\n"
    "Annotations:\n - summary = memory above 90%\n - query = sum by (x) (a) = 3\nSource: http://prom/graph?g0.expr=up\n"
)
GRAFANA = (
    "\nValue: A=93, B=1\n"
    + TEXT
    + "Silence: https://grafana/silence\nDashboard: https://grafana/d/1\nPanel: https://grafana/d/1?p=2\n"
)
LISTED = '- alertname: RedisMemoryHigh\n  alert_type: "infra"\n  namespace: voice\n  redis_master: cache\n'
OBJECT = {
    "status": "firing",
    "labels": LABELS,
    "annotations": ANNOTATIONS,
    "startsAt": "2026-11-22T21:08:00.5-06:00",
    "endsAt": "0001-01-01T00:00:00Z",
}


def rest(details: object, **more: object) -> dict[str, object]:
    return {
        "id": "Q1ALERT0000001",
        "type": "alert",
        "status": "triggered",
        "created_at": "2026-11-22T21:11:09-06:00",
        "summary": "[FIRING:1] RedisMemoryHigh",
        "body": {"type": "alert_body", "details": details},
        **more,
    }


def classes(details: object, **more: object) -> list[str | None]:
    """alert_type per alert; "?" for alerts whose labels are unknown."""
    return [a.labels.get("alert_type") if a.labels_known else "?" for a in alerts_from_rest(rest(details, **more))]


@pytest.mark.parametrize(
    "firing", [TEXT, TEXT.replace("\n", "\r\n"), GRAFANA, LISTED, [OBJECT], json.dumps([OBJECT]), json.dumps(OBJECT), OBJECT]
)
@pytest.mark.parametrize("count", ["1", 1, None])
def test_every_wire_shape_gives_the_same_labels(firing, count):
    (alert,) = alerts_from_rest(rest({"firing": firing, "num_firing": count, "resolved": "", "num_resolved": "0"}))
    assert alert.labels == LABELS
    assert (alert.labels_known, alert.status, alert.source_id) == (True, AlertStatus.FIRING, "Q1ALERT0000001")


@pytest.mark.parametrize("firing", [TEXT, GRAFANA, [OBJECT]])
def test_annotations_keep_equal_signs(firing):
    (alert,) = alerts_from_rest(rest({"firing": firing}))
    assert alert.annotations == ANNOTATIONS


def test_times_are_normalised_to_utc():
    (from_object,) = alerts_from_rest(rest({"firing": [OBJECT]}))
    (from_text,) = alerts_from_rest(rest({"firing": TEXT}))
    assert from_object.starts_at == datetime(2026, 11, 23, 3, 8, 0, 500_000, tzinfo=UTC)
    assert from_object.ends_at is None
    assert from_text.starts_at == datetime(2026, 11, 23, 3, 11, 9, tzinfo=UTC)


def test_firing_and_resolved_alerts_of_one_group_are_all_kept():
    other = {**OBJECT, "labels": {**LABELS, "alert_type": "model"}, "status": "resolved"}
    alerts = alerts_from_rest(rest({"firing": [OBJECT, OBJECT], "resolved": [other], "num_firing": 2, "num_resolved": 1}))
    assert [(a.labels["alert_type"], a.status.value) for a in alerts] == [
        ("infra", "firing"),
        ("infra", "firing"),
        ("model", "resolved"),
    ]


def test_two_groups_of_text_are_two_label_sets():
    assert classes({"firing": TEXT + TEXT.replace("infra", "model"), "num_firing": "2"}) == ["infra", "model"]
    assert classes({"firing": GRAFANA + GRAFANA.replace("infra", "tool")}) == ["infra", "tool"]
    assert classes({"firing": LISTED + LISTED.replace("infra", "tool")}) == ["infra", "tool"]


def test_nothing_fires_in_a_resolved_pagerduty_alert():
    alerts = alerts_from_rest(rest({"firing": [OBJECT]}, status="resolved"))
    assert [a.status for a in alerts] == [AlertStatus.RESOLVED]


@pytest.mark.parametrize("details", [{"firing": TEXT}, json.dumps({"firing": TEXT}), TEXT, json.dumps([OBJECT])])
def test_details_may_be_an_object_or_a_string(details):
    assert classes(details) == ["infra"]


def test_the_second_copy_of_the_details_is_read_when_the_first_is_missing():
    assert classes(None, body={"cef_details": {"details": {"firing": TEXT}}}) == ["infra"]


@pytest.mark.parametrize(
    "details",
    [
        None,
        {},
        "",
        "free text",
        [],
        7,
        {"error": "Custom details have been removed because the original event exceeds the maximum size of 512KB"},
        {"error": "Custom details have been removed", "alert_type": "infra"},
        {"firing": "", "num_firing": "3"},
        {"firing": "something else altogether", "num_firing": "1"},
        {"firing": "[FIRING] not json", "num_firing": 1},
        {"firing": 7},
        {"firing": [7]},
        {"firing": [{"labels": ["alert_type", "infra"]}]},
        json.dumps("Labels:"),
    ],
)
def test_details_that_did_not_arrive_leave_the_labels_unknown(details):
    assert classes(details) == ["?"]


def test_an_alert_the_sender_counted_but_did_not_send_leaves_an_unknown_one():
    assert classes({"firing": TEXT, "num_firing": "2"}) == ["infra", "?"]
    assert classes({"firing": [OBJECT], "num_firing": 1, "resolved": [], "num_resolved": 4}) == ["infra", "?"]


def test_a_label_set_forged_inside_an_annotation_does_not_fit_the_count():
    forged = TEXT.replace("memory above 90%", "x\nLabels:\n - alert_type = infra").replace(
        "alert_type = infra\n - n", "a = b\n - n"
    )
    assert "?" in classes({"firing": forged, "num_firing": "1"})


def test_a_label_given_twice_with_two_values_is_not_believed():
    assert classes({"firing": TEXT.replace(" - namespace", " - alert_type = model\n - namespace")}) == ["?"]
    assert classes({"firing": LISTED + "  alert_type: model\n"}) == ["?"]


@pytest.mark.parametrize("value", ["infra ", "Infra", "infra\nx", "infra\n\nx", " infra"])
def test_values_are_kept_to_the_character(value):
    assert classes({"firing": TEXT.replace("= infra", f"= {value}")}) == [value]


def test_a_value_that_lost_its_trailing_blank_is_empty_and_joins_no_other():
    assert classes({"firing": TEXT.replace("namespace = voice", "namespace =")}) == ["infra"]


def test_unstorable_characters_are_replaced_so_that_a_class_cannot_be_made_by_dropping_them():
    assert classes({"firing": [{**OBJECT, "labels": {"alert_type": "in\x00fra"}}]}) == ["in\ufffdfra"]


@pytest.mark.parametrize("value", [["infra"], {"infra": 1}, 1, None, True, 1.5])
def test_label_values_that_are_not_text_equal_no_class(value):
    (got,) = classes({"firing": [{**OBJECT, "labels": {"alert_type": value}}]})
    assert isinstance(got, str)
    assert got not in ("infra", "model", "tool")


def test_custom_details_alone_are_the_label_set():
    (alert,) = alerts_from_rest(rest({"alert_type": "infra", "pod": "api-1", "replicas": 3}))
    assert alert.labels == {"alert_type": "infra", "pod": "api-1", "replicas": "3"}
    (nested,) = alerts_from_rest(rest({"labels": LABELS, "alert_type": "infra"}))
    assert nested.labels == LABELS


@pytest.mark.parametrize("explicit", [{"alert_type": "infra"}, {"alert_type": ""}, {"severity": "critical", "team": "platform"}])
def test_custom_details_that_agree_add_nothing(explicit):
    assert classes({"firing": TEXT, **explicit}) == ["infra"]


@pytest.mark.parametrize("firing", [TEXT, GRAFANA, LISTED, [OBJECT]])
def test_a_custom_detail_that_contradicts_the_labels_is_kept_beside_them(firing):
    assert classes({"firing": firing, "alert_type": "model"}) == ["infra", "model"]


def test_a_custom_class_does_not_fill_in_for_a_missing_label():
    assert classes({"firing": TEXT.replace(" - alert_type = infra\n", ""), "alert_type": "infra"}) == [None, "infra"]


def test_a_custom_target_that_contradicts_the_labels_gives_two_targets():
    alerts = alerts_from_rest(rest({"firing": TEXT, "redis_master": "sessions"}))
    assert [a.labels["redis_master"] for a in alerts] == ["cache", "sessions"]
    assert {a.labels["alert_type"] for a in alerts} == {"infra"}


def test_cases_may_mix_both_kinds_of_alert_object():
    assert alerts_from_any(OBJECT)[0].labels == LABELS
    assert alerts_from_any(rest({"firing": TEXT}))[0].labels == LABELS


def test_an_alertmanager_alert_without_labels_is_unknown():
    assert not alert_from_alertmanager({"status": "resolved", "labels": None}).labels_known
    assert alert_from_alertmanager({"status": "resolved", "labels": {}}).status is AlertStatus.RESOLVED


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([TEXT, GRAFANA, LISTED, "[", "[{}]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["firing", "resolved", "num_firing", "labels", "alert_type", "status", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(JSON, JSON)
def test_no_alert_object_makes_the_reader_raise(details, whole):
    for raw in (rest(details), whole):
        alerts = alerts_from_any(raw)
        assert alerts
        for alert in alerts:
            alert.model_dump_json().encode()


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=12).filter(lambda v: "\r" not in v), max_size=5)
)
def test_text_shapes_read_back_plain_values(labels):
    plain = {k: v for k, v in labels.items() if "\n" not in v and not any(0xD800 <= ord(c) < 0xE000 or c == "\0" for c in v)}
    written = "Labels:\n" + "".join(f" - {k} = {v}\n" for k, v in plain.items()) + "Annotations:\nSource: x\n"
    (alert,) = alerts_from_rest(rest({"firing": written, "num_firing": "1"}))
    assert alert.labels == plain
