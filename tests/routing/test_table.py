"""The table of routes: it finds the first that holds, as asking one after the other would."""

import random
from collections.abc import Iterator, Mapping

import pytest

from sre_agent.routing.file import Route, Routing
from sre_agent.routing.matcher import all_hold
from sre_agent.routing.table import first_match

VALUES = {"a": ["", "x", "xy", "y", "xyz"], "b": ["", "1", "12", "2"], "c": ["", "z"]}
EXPRESSIONS = ["x.*", "xy?", "x|y", ".*", "", "1.+", "(?i)X.*", "1|12", ".+z", "x{0}", "(xy)z|y"]


def drawn(dice: random.Random) -> str:
    name, operator = dice.choice(list(VALUES)), dice.choice(["=", "=", "!=", "=~", "=~", "!~"])
    return f'{name}{operator}"{dice.choice(EXPRESSIONS if "~" in operator else VALUES[name])}"'


@pytest.mark.parametrize("seed", range(20))
def test_it_finds_what_asking_every_route_in_turn_finds(seed: int) -> None:
    dice = random.Random(seed)
    routes = tuple(
        Route(id=f"r{n}", matchers=tuple(drawn(dice) for _ in range(dice.randint(1, 4))), receiver="default") for n in range(60)
    )
    routing = Routing(routes=routes)
    for _ in range(200):
        labels = {name: dice.choice(values) for name, values in VALUES.items() if dice.random() < 0.8}
        wanted = next((route for route in routes if all_hold(route.matchers, labels)), None)
        assert first_match(routing, labels) is wanted


def test_two_files_with_the_same_routes_each_give_their_own() -> None:
    one, other = (Routing(routes=(Route(id=name, matchers=(), receiver="default"),)) for name in ("one", "other"))
    assert [first_match(file, {}).id for file in (one, other, one)] == ["one", "other", "one"]


class Counted(Mapping[str, str]):
    """Labels that count how often one is read."""

    def __init__(self, **labels: str) -> None:
        self.labels, self.reads = labels, 0

    def __getitem__(self, name: str) -> str:
        self.reads += 1
        return self.labels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)


def test_of_500_routes_only_those_are_asked_that_the_values_lead_to() -> None:
    """What makes a decision cheap."""
    kinds = ('service="s{n}"', 'alertname=~"Database{n}(Slow|Down)"', 'namespace=~"team-{n}-.*"')

    def route(n: int) -> Route:
        return Route(id=f"r{n}", matchers=('alert_type="infra"', kinds[n % 3].replace("{n}", str(n))), receiver="default")

    routing = Routing(routes=tuple(route(n) for n in range(500)))
    labels = Counted(alert_type="infra", service="s498", alertname="Database7Down", namespace="team-8-x")
    assert first_match(routing, labels) is routing.routes[7]
    assert labels.reads < 20


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"routes": [{"id": "x", "matchers": ["ok=y", "a=~("], "receiver": "default"}]}, ("routes", 0, "matchers", 1)),
        (
            {"verticals": {"sales": {"objectives": [{"id": "o", "matchers": ["nothing"]}]}}},
            ("verticals", "sales", "objectives", 0, "matchers", 0),
        ),
        ({"escalations": [{"id": "e", "matchers": ['a="']}]}, ("escalations", 0, "matchers", 0)),
        ({"cost": {"matchers": [["a=b"], ["a"]]}}, ("cost", "matchers", 1, 0)),
        ({"customer_facing": [["1=2"]]}, ("customer_facing", 0, 0)),
    ],
)
def test_a_matcher_that_cannot_be_read_is_a_problem_of_the_file(more: dict[str, object], place: tuple[object, ...]) -> None:
    assert [fault[0] for fault in Routing.model_validate(more).problems(None)] == [place]
