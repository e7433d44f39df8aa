"""Debian's Prometheus over samples of the past, for the tests that hold themselves against the real thing."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest


@contextmanager
def prometheus(folder: Path, openmetrics: str, config: str = "global: {}\n") -> Iterator[str]:
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["prometheus", *options, "--storage.tsdb.retention.time=3650d"], stdout=log, stderr=log)
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
