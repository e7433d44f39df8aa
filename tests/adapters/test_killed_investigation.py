"""A process that investigates is killed with SIGKILL while the model is answering; another one continues on its database."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from sre_agent.adapters.checkpoints import Checkpoints, migrate_checkpoints
from sre_agent.adapters.openai import Endpoint, OpenAIChat
from sre_agent.evidence.budget import Ceilings
from sre_agent.investigation.graph import build_investigator
from sre_agent.investigation.model_reasoner import ModelReasoner
from sre_agent.testing.openai import OpenAIStandIn, answers, asks, slowly
from tests.adapters.test_checkpoint_store import scope
from tests.adapters.test_checkpoint_store import triage as judged

pytestmark = pytest.mark.real
ANSWER = {"statements": [], "alert_class": "unknown", "confidence_percent": 10, "veto": None, "runbook": None}
PROGRAM = """
import asyncio, sys
from tests.adapters.test_killed_investigation import investigated
asyncio.run(investigated(sys.argv[1], sys.argv[2]))
"""


async def investigated(dsn, base_url):
    """One investigation with checkpoints in `dsn` and a model at `base_url`."""
    checkpoints = Checkpoints(dsn)
    chat = OpenAIChat(Endpoint(model="m", api_key=SecretStr("k"), base_url=base_url))
    reasoner = ModelReasoner(chat, [], time.monotonic, Ceilings(seconds=60.0))
    built = build_investigator([], [], reasoner, [], source_deadline_s=1.0, checkpointer=await checkpoints.open())
    done = await built.investigate(scope(), judged(), "Q1/1")
    await chat.close()
    await checkpoints.close()
    return done


async def _until(condition, seconds):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_no_answer_is_paid_twice_and_the_call_on_its_way_is_charged(empty_database_url):
    await migrate_checkpoints(empty_database_url)
    look = asks("search_logs", {"words": "timeout"})
    with OpenAIStandIn([look, slowly(answers(ANSWER), 120.0), answers(ANSWER)]) as server:
        command = [sys.executable, "-c", PROGRAM, empty_database_url, server.base_url]
        root = Path(__file__).parent.parent.parent
        child = subprocess.Popen(command, cwd=root)
        try:
            await _until(lambda: len(server.requests) == 2 or child.poll() is not None, 60.0)
            assert child.poll() is None
        finally:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        usage = (await investigated(empty_database_url, server.base_url)).diagnosis.usage
        assert len(server.requests) == 3
        assert (usage.calls, usage.answered, usage.lost, usage.fallback) == (3, 2, 1, None)
        assert usage.output_tokens == 20 + 20 + Ceilings().output_tokens
        sent = [json.dumps(r["messages"]) for r in server.requests]
        assert sent[2] == sent[1]  # the lost call, asked anew with what the first one had brought
        again = await investigated(empty_database_url, server.base_url)
        assert len(server.requests) == 3
        assert again.diagnosis.usage == usage
