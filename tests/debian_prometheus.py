"""Debian's Prometheus over samples of the past, and its Alertmanager, for the tests that hold themselves against the real thing."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sre_agent.testing.night.agent import free_port


@contextmanager
def prometheus(folder: Path, openmetrics: str, config: str = "global: {}\n", port: int | None = None) -> Iterator[str]:
    """Its address, once it is ready. The samples are written as blocks before it starts; `config` may name files of `folder`.

    Skips the test where `prometheus` and `promtool` are not installed.
    """
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("Debian's prometheus (with promtool) is not installed")
    folder.mkdir(exist_ok=True)
    (folder / "samples.txt").write_text(openmetrics)
    (folder / "prometheus.yml").write_text(config)
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples.txt"), str(folder / "data")]
    subprocess.run(made, check=True, capture_output=True)
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    # What fires before Alertmanager is known is sent to nobody, and again only after this delay (a minute, if not told).
    options += ["--storage.tsdb.retention.time=3650d", "--rules.alert.resend-delay=1s"]
    with _server(folder, ["prometheus", *options], port) as url:
        yield url


@contextmanager
def alertmanager(folder: Path, config: str, port: int | None = None) -> Iterator[str]:
    """Its address, once it is ready. Skips the test where it is not installed."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        pytest.skip("Debian's prometheus-alertmanager is not installed")
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yml").write_text(config)
    options = [f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with _server(folder, [binary, *options], port) as url:
        yield url


@contextmanager
def _server(folder: Path, command: list[str], port: int | None = None) -> Iterator[str]:
    address = f"127.0.0.1:{port or free_port()}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            for _ in range(400):
                try:
                    if httpx.get(f"http://{address}/-/ready").status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                time.sleep(0.05)
            else:
                raise AssertionError((folder / "log").read_text())
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(10)
