"""A routing file with a matcher that cannot be read is refused at loading, with the line."""

from pathlib import Path

import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.wiring.routing import routing_at

PLACES = {
    "routes": "routes:\n  - id: x\n    receiver: default\n    matchers: [a=b,\n      {}]\n",
    "an objective": "verticals:\n  v:\n    objectives:\n    - {{id: x, matchers: [\n      {}]}}\n",
    "escalations": "escalations:\n  - id: x\n    matchers:\n    - a=b\n    - {}\n",
    "cost": "cost:\n  matchers:\n    - [a=b]\n    -\n      - {}\n",
    "customer_facing": "customer_facing:\n  - [a=b]\n  - [a=b]\n  -\n    - {}\n",
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("text", ["'a'", "'a=~\"(\"'", "'a=\"b'", "'1=2'"])
def test_a_matcher_that_cannot_be_read_is_refused_with_its_line(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text("receivers: {default: ''}\n" + PLACES[where].format(text))
    with pytest.raises(ConfigurationError) as refused:
        routing_at(path)
    line = 1 + PLACES[where].split("{}")[0].count("\n") + 1
    assert str(refused.value).startswith(f"{path}:{line}: "), refused.value


@pytest.mark.parametrize("where", PLACES)
def test_one_that_can_is_taken(where: str, tmp_path: Path) -> None:
    path = tmp_path / "routing.yaml"
    path.write_text("receivers: {default: ''}\n" + PLACES[where].format("'a=~\"b|c\"'"))
    routing_at(path)
