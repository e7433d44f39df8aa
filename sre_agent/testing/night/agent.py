"""The agent as its user runs it: a process of its own, settings from the environment, commands from the shell."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

_READY_S = 60.0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class AgentProcess:
    """`sre-agent serve` with the given settings, from `start` to `stop`. Its log goes to `log`."""

    def __init__(self, settings: Mapping[str, str], log: Path, role: str = "all", port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._role = role
        self._log = log
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the agent is not running")
        return self._process.pid

    @property
    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "sre_agent", "serve", "--port", str(self.port), "--role", self._role]

    @property
    def environment(self) -> dict[str, str]:
        """The process's environment: ours, without any setting of a real installation, plus the given ones."""
        names = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "SYSTEMROOT")
        kept = {k: v for k, v in os.environ.items() if k in names}
        # A key of its own: without one the agent would make a file in this machine's data folder.
        return {**kept, "PYTHONWARNINGS": "ignore", "SRE_AGENT_REDACTION_KEY": "of a process under test", **self._settings}

    def start(self) -> None:
        """Start and return at once; see `wait_ready`."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log, cwd=_code_root())

    def wait_ready(self) -> None:
        """Return when /readyz says yes. Raises TimeoutError or RuntimeError with the end of the log."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"the agent ended with status {self._process.returncode}:\n{self.log_tail()}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise TimeoutError(f"the agent was not ready within {_READY_S:.0f} s:\n{self.log_tail()}")

    def stop(self) -> int | None:
        """SIGTERM, wait for the drain, kill after 20 s. Returns the exit status."""
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(timeout=5)

    def kill(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=5)

    def cli(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run an `sre-agent` command with the same settings plus `more` environment variables."""
        command = [sys.executable, "-m", "sre_agent", *words]
        env = {**self.environment, **more}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False, cwd=_code_root())

    def incident(self, incident_id: str) -> dict[str, Any]:
        """GET /api/v1/incidents/{id}; {} while it is not known."""
        answer = httpx.get(f"{self.url}/api/v1/incidents/{incident_id}", timeout=5)
        return dict(answer.json()) if answer.status_code == 200 else {}

    def log_tail(self, lines: int = 20) -> str:
        """The end of the agent's log."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def _code_root() -> Path:
    """Where `python -m sre_agent` finds this package."""
    return Path(__file__).resolve().parents[3]


def as_json(text: str) -> Any:
    """One JSON document of a command's output; a readable error instead of a stack trace when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        raise RuntimeError(f"expected JSON, got: {text[:400]}") from None
