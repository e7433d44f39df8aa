"""Where queues are comes from the owners' declarations, and the hands' identity from its own settings, or not at all."""

import pytest

from sre_agent.incident.target import Target
from sre_agent.policy.declarations import Targets
from sre_agent.settings import Settings, variables
from sre_agent.wiring.hands import hands
from sre_agent.wiring.readers import queue_access

DECLARED = Targets.model_validate(
    {
        "queue/calls": {"managed": True, "team": "platform", "redis": "queues.internal:6379"},
        "queue/mails": {"managed": True, "team": "platform", "redis": "[::1]:6380", "key_prefix": "{mail}"},
        "queue/unmanaged": {"redis": "queues.internal:6379"},
        "queue/nowhere": {"managed": True, "team": "platform"},
        "redis/cache": {"managed": True, "team": "platform", "redis": "cache.internal:6379"},
    }
)
READING = {"REDIS_USERNAME": "reader", "REDIS_PASSWORD": "r"}
WRITING = {"REDIS_WRITE_USERNAME": "writer", "REDIS_WRITE_PASSWORD": "w"}


@pytest.fixture
def settings(monkeypatch):
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)

    def made(values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return made


def test_managed_queues_with_an_address_are_reached_and_no_others(settings):
    access = queue_access(settings(READING), DECLARED, write=False)
    assert {name: (p.address, p.prefix) for name, p in access.queues.items()} == {
        "calls": ("queues.internal:6379", "bull"),
        "mails": ("[::1]:6380", "{mail}"),
    }
    assert (access.username, access.password) == ("reader", "r")
    assert "'r'" not in repr(access)


def test_the_hands_never_fall_back_to_the_reading_user(settings):
    without = settings(READING)
    assert queue_access(without, DECLARED, write=True) is None
    assert hands(without, DECLARED).queues is None
    both = settings(READING | WRITING)
    access = queue_access(both, DECLARED, write=True)
    assert (access.username, access.password) == ("writer", "w")
    assert hands(both, DECLARED).queues is not None


def test_without_a_declared_queue_there_is_nothing_to_reach(settings):
    both = settings(READING | WRITING)
    assert queue_access(both, None, write=True) is None
    assert queue_access(both, Targets.model_validate({}), write=False) is None
    assert hands(both).queues is None


def test_a_queue_is_declared_by_its_name():
    assert DECLARED.find(Target(kind="Queue", name="calls")).redis == "queues.internal:6379"
    assert not DECLARED.find(Target(kind="Queue", name="other")).managed


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"redis": "queues.internal"}, "redis"),
        ({"redis": "redis://queues:6379"}, "redis"),
        ({"redis": "user:pw@queues:6379"}, "redis"),
        ({"redis": "a:6379,b:6379"}, "redis"),
        ({"key_prefix": ""}, "key_prefix"),
        ({"key_prefix": "a b"}, "key_prefix"),
    ],
)
def test_an_address_or_prefix_that_is_none_is_told(entry, where):
    problems = list(Targets.model_validate({"queue/calls": entry}).problems(("platform",)))
    assert [p.path for p in problems] == [("queue/calls", where)]


def test_good_declarations_have_no_problem():
    assert list(DECLARED.problems(("platform",))) == []
