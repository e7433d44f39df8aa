"""A press is understood by the ids in its button alone, and never believed for what the message shows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent.approval.press import MOST_REASON, Press, PressAction, button_value, parse_press, read_press

WHO = {"type": "block_actions", "user": {"id": "U1", "team_id": "T1", "username": "ana"}, "team": {"id": "T1"}, "api_app_id": "A1",
       "trigger_id": "1.2.x"}  # fmt: skip
SHOWN = {"container": {"message_ts": "1.2", "channel_id": "C1"}, "channel": {"id": "C1"}, "message": {"ts": "1.2", "text": "old"}}


def pressed(value: object = "apr_1.9f31c2d0", action: object = "sre_approve", **more: object) -> dict[str, object]:
    button = {"type": "button", "action_id": action, "block_id": "b", "value": value}
    return {**WHO, **SHOWN, "actions": [button], **more}


def submitted(typed: object = "no", carried: object = None, **more: object) -> dict[str, object]:
    kept = json.dumps({"value": "apr_1.9f31c2d0", "channel": "C1"}) if carried is None else carried
    state = {"values": {"reason_block": {"reason": {"type": "plain_text_input", "value": typed}}}}
    return {**WHO, "type": "view_submission", "view": {"callback_id": "sre_deny_reason", "private_metadata": kept, "state": state},
            **more}  # fmt: skip


def test_a_press_says_what_who_where_and_on_which_plan():
    assert parse_press(pressed()) == Press(
        action=PressAction.APPROVE, approval_id="apr_1", plan="9f31c2d0", user="U1", user_team="T1", team="T1", app="A1",
        trigger_id="1.2.x", channel="C1", message="1.2",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "action"), [("sre_deny", PressAction.DENY), ("sre_details", PressAction.DETAILS)])
def test_the_other_buttons_are_told_apart(name, action):
    assert parse_press(pressed(action=name)).action is action


def test_a_submitted_dialog_brings_the_reason_and_what_was_carried():
    press = parse_press(submitted("  not now \x00 "))
    assert (press.action, press.approval_id, press.plan, press.channel, press.reason) == (
        PressAction.DENY_SUBMITTED, "apr_1", "9f31c2d0", "C1", "not now \ufffd",
    )  # fmt: skip
    assert len(parse_press(submitted("x" * 5000)).reason) == MOST_REASON
    assert parse_press(submitted(None)).reason == ""


@pytest.mark.parametrize(
    "value",
    ["ask_01TEST", "apr_1.", "apr_1.9f31", "apr_1.9F31C2D0", ".9f31c2d0", "apr_1.9f31c2d0 ", "apr_1.9f31c2d0\n", "apr_1.9f31c2d0.x",
     "a b.9f31c2d0", "apr_1.９ｆ31c2d0", "x" * 70 + ".9f31c2d0", "apr_1." + "a" * 65, 7, None, ["apr_1.9f31c2d0"], {}],
)  # fmt: skip
def test_a_tampered_value_names_no_question(value):
    press = parse_press(pressed(value))
    assert (press.action, press.approval_id, press.plan) == (PressAction.APPROVE, "", "")


@pytest.mark.parametrize(
    "payload",
    [
        pressed(action="link_to_the_page"),
        pressed(action=["sre_approve"]),
        pressed(actions=[]),
        pressed(actions=pressed()["actions"] * 2),
        pressed(actions={"0": "sre_approve"}),
        pressed(type="message_action"),
        submitted(view={"callback_id": "another", "private_metadata": "{}"}),
        {"type": "event_callback", "event": {"type": "message", "text": "approve apr_1.9f31c2d0", "user": "U1"}},
        {"type": "shortcut"},
        {},
        [],
        "sre_approve",
        None,
    ],
)
def test_everything_else_is_nothing_of_ours_and_text_is_never_an_answer(payload):
    assert parse_press(payload).action is PressAction.OTHER


def test_what_the_message_shows_changes_nothing():
    lying = pressed(
        message={"ts": "1.2", "text": "apr_2", "blocks": [{"type": "actions", "elements": [{"value": "apr_2.00000000"}]}]}
    )
    assert parse_press(lying) == parse_press(pressed())


def test_the_value_of_a_button_is_read_back():
    press = parse_press(pressed(button_value("apr_7", "9f31c2d0ffff")))
    assert (press.approval_id, press.plan) == ("apr_7", "9f31c2d0")


def test_a_dialog_that_carries_nonsense_names_no_question():
    for carried in ("", "[", "[]", "x" * 5000, {"value": "apr_1.9f31c2d0"}, json.dumps({"value": 1})):
        assert parse_press(submitted(carried=carried)).approval_id == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(payload=JSON)
def test_no_json_makes_the_reader_raise(payload):
    assert parse_press(payload).action is PressAction.OTHER


@given(
    part=st.sampled_from(
        ["user", "team", "api_app_id", "trigger_id", "channel", "container", "message", "actions", "view", "type"]
    ),
    wrong=JSON,
    shape=st.sampled_from([pressed(), submitted()]),
)
def test_no_part_of_another_shape_makes_the_reader_raise(part, wrong, shape):
    read = parse_press({**shape, part: wrong})
    assert all(isinstance(v, str) for v in read.model_dump().values())


@given(raw=st.binary(max_size=300) | st.text(max_size=300))
def test_no_bytes_make_the_reader_raise(raw):
    assert read_press(raw).action is PressAction.OTHER


def test_a_payload_nested_without_end_is_nothing_of_ours():
    assert read_press(b'{"type":' + b"[" * 100_000).action is PressAction.OTHER
