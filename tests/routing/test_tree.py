"""The rendered tree: Alertmanager takes it, and it, our reading of it, and the decision name one receiver for every alert."""

import json
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sre_agent.incident.alert import Alert
from sre_agent.routing.decide import decide
from sre_agent.routing.file import Route, Routing
from sre_agent.routing.memory import Memory
from sre_agent.routing.render import Ends, rendered
from sre_agent.routing.signals import Signals
from sre_agent.routing.tree import FALLBACK, Node, receiver_of, receivers_of, tree_of

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ENDS = Ends("http://127.0.0.1:1/webhooks/alertmanager", "/etc/alertmanager/sre-agent.token", "/etc/alertmanager/pagerduty")
RECEIVERS = ("pd-platform", "pd-ai-eng", "pd-integration-owners", "default", "pd-voice", "pd 'quoted\" ü")
CLASSES = ("infra", "model", "tool", "Infra ", "INFRA", "", "infrared")
VALUES = {
    "alert_type": CLASSES,
    "alertname": ("Down", "FTLp95High", 'a"b', "a\\b", "x,y", "{x}", "ü"),
    "vertical": ("", "healthcare", "sales", "after_hours"),
    "tool_name": ("", "crm", "calendar"),
}


def routing(*routes: Route, **more: object) -> Routing:
    return Routing.model_validate({"receivers": dict.fromkeys(RECEIVERS, ""), "routes": [r.model_dump() for r in routes], **more})


def drawn_routing(dice: random.Random, count: int) -> Routing:
    def drawn() -> str:
        name = dice.choice(list(VALUES))
        operator = dice.choice(["=", "=", "!=", "=~", "!~"])
        value = dice.choice(VALUES[name])
        if "~" in operator:
            value = dice.choice(["", ".*", "i.*", "(?i)infra", "in.+|model", "h.*e", "cr?m", "[^a-m].*", ".*,.*"])
        return f"{name}{operator}{json.dumps(value, ensure_ascii=False)}"

    def route(n: int) -> Route:
        return Route(id=f"r{n}", matchers=tuple(drawn() for _ in range(dice.randint(2, 4))), receiver=dice.choice(RECEIVERS))

    return routing(*(route(n) for n in range(count)))


def drawn_labels(dice: random.Random) -> dict[str, str]:
    return {name: value for name, values in VALUES.items() if dice.random() < 0.8 and (value := dice.choice(values))}


def decided(labels: dict[str, str], file: Routing) -> str:
    return decide([Alert(labels=labels)], Signals(), file, Memory(), NOW).receiver


def test_a_class_has_its_receiver_and_what_has_none_the_default() -> None:
    root = tree_of(routing())
    found = [receiver_of(root, {"alert_type": kind} if kind else {}) for kind in CLASSES]
    assert found == ["pd-platform", "pd-ai-eng", "pd-integration-owners", "default", "default", "default", "default"]


def test_a_route_of_the_file_comes_first_and_never_leads_to_another_class() -> None:
    file = routing(
        Route(id="voice", matchers=('vertical="sales"',), receiver="pd-voice"),
        Route(id="wrong", matchers=('vertical="healthcare"',), receiver="pd-platform"),
    )
    root = tree_of(file)
    assert receiver_of(root, {"alert_type": "model", "vertical": "sales"}) == "pd-voice"
    assert receiver_of(root, {"alert_type": "model", "vertical": "healthcare"}) == "pd-ai-eng"
    assert receiver_of(root, {"vertical": "sales"}) == "default"


def test_a_copy_pages_the_same_team_without_the_agent() -> None:
    dice = random.Random(5)
    file = drawn_routing(dice, 20)
    root = tree_of(file)
    for _ in range(500):
        labels = drawn_labels(dice)
        assert receiver_of(root, {**labels, "via": "fallback"}) == receiver_of(root, labels) + FALLBACK


def test_alerts_are_grouped_by_class_and_by_what_the_file_says_and_nobodys_tools_apart() -> None:
    root = tree_of(routing())

    def grouped(node: Node, labels: dict[str, str], above: tuple[str, ...] = ()) -> tuple[str, ...]:
        own = node.group_by or above
        child = next((c for c in node.routes if all(m.holds(labels) for m in c.matchers)), None)
        return grouped(child, labels, own) if child is not None else own

    assert grouped(root, {"alert_type": "tool", "tool_name": "crm"}) == ("alert_type", "tool_name")
    assert grouped(root, {"alert_type": "tool"}) == ("alert_type", "tool_name", "alertname", "namespace", "vertical")
    assert grouped(root, {"alert_type": "model"}) == ("alert_type", "alertname", "vertical", "prompt")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"group_by": {"infra": ["a-b"]}}, "can be no label"),
        ({"receivers": {"x-fallback": ""}}, "does not end with"),
        ({"routes": [{"id": "x", "matchers": ['a="'], "receiver": "default"}]}, "double quote"),
    ],
)
def test_what_alertmanager_would_refuse_is_refused_here(more: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rendered(routing(**more) if "routes" not in more else Routing.model_validate(more), ENDS)


def test_the_decision_and_the_tree_name_one_receiver() -> None:
    dice = random.Random(1)
    for _ in range(20):
        file = drawn_routing(dice, 12)
        root = tree_of(file)
        for _ in range(100):
            labels = drawn_labels(dice)
            assert decided(labels, file) == receiver_of(root, labels), (labels, file.routes)


@pytest.mark.real
def test_amtool_takes_the_rendered_file_and_names_the_same_receiver_for_thousands_of_label_sets(tmp_path: Path) -> None:
    if shutil.which("amtool") is None:
        pytest.skip("Debian's prometheus-alertmanager (with amtool) is not installed")
    dice = random.Random(2)
    for turn in range(4):
        file = drawn_routing(dice, 4 + 10 * turn)
        root, path = tree_of(file), tmp_path / f"{turn}.yml"
        path.write_text(rendered(file, ENDS), encoding="utf-8")
        subprocess.run(["amtool", "check-config", str(path)], check=True, capture_output=True)
        cases = [drawn_labels(dice) | ({"via": "fallback"} if dice.random() < 0.2 else {}) for _ in range(500)]

        def asked(labels: dict[str, str], path: Path = path) -> str:
            told = [f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in labels.items()]
            command = ["amtool", "config", "routes", "test", f"--config.file={path}", *told]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")

        with ThreadPoolExecutor(4) as pool:
            theirs = list(pool.map(asked, cases))
        ours = [receiver_of(root, labels) for labels in cases]
        assert [(c, t, o) for c, t, o in zip(cases, theirs, ours, strict=True) if t != o] == []
        assert len(set(theirs)) > 5
        assert set(theirs) <= set(receivers_of(root))
        assert all(decided(c, file) == t for c, t in zip(cases, theirs, strict=True) if "via" not in c)
