"""The parts the demonstration stands on: they must hurt for real, and must never be left behind."""

import os
import subprocess
import sys
import time

import pytest

from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_load import CountingWriter
from sre_agent.testing.redis_probe import LatencyProbe
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan

pytestmark = pytest.mark.slow

ORPHANED = """
import os, signal, sys
from sre_agent.testing.redis_sick import SickPrimary
from sre_agent.testing.redis_topology import RedisTopology, TopologyPlan
topology = RedisTopology(TopologyPlan(replicas=0, sentinels=1, quorum=1))
topology.start()
SickPrimary(topology.pid(topology.primary), stopped_s=0.1, running_s=0.1).start()
print(topology.pid(topology.primary), topology.pid(topology.sentinels[0]), topology._home, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return state != "" and not state.startswith("Z")


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def single():
    with RedisTopology(TopologyPlan(replicas=0, sentinels=1, quorum=1)) as running:
        yield running


def test_a_killed_parent_leaves_no_server_and_no_stopped_process_behind():
    ended = subprocess.run([sys.executable, "-c", ORPHANED], capture_output=True, text=True, cwd=os.getcwd())
    node, sentinel, home = ended.stdout.split()
    assert within(5, lambda: not alive(node) and not alive(sentinel))
    assert within(5, lambda: not os.path.exists(home))


def test_the_probe_counts_time_outs_as_latency_and_sees_the_sickness_begin_and_end(single):
    with LatencyProbe(single.sentinels, "cache", timeout=0.3) as probe:
        assert within(5, lambda: len(probe.samples()) >= 20)
        assert probe.quantile(0.99, 0.5) < 0.3
        with SickPrimary(single.pid(single.primary)):
            assert within(5, lambda: sum(not s.answered for s in probe.samples()) >= 3)
            assert probe.quantile(0.99, 1.0) >= 0.3
        assert within(5, lambda: all(s.answered for s in probe.samples(0.5)) and len(probe.samples(0.5)) >= 5)
        assert len(probe.series(0.99, step_s=0.25)) >= 4
    assert ask(single.primary, "PING")


def test_the_writer_tells_acknowledged_writes_that_are_gone_from_those_that_are_there(single):
    with CountingWriter(single.sentinels, "cache", workers=1, gap_s=0.002) as writer:
        assert within(5, lambda: writer.acknowledged >= 50)
    all_there = writer.read_back(single.primary)
    assert (all_there.found, all_there.lost, all_there.unknown) == (all_there.acknowledged, 0, 0)
    ask(single.primary, "FLUSHALL")
    assert writer.read_back(single.primary).lost == writer.acknowledged
