"""A closed-loop, Sentinel-aware writer with unique keys: what was acknowledged, and what is still there."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sre_agent.testing.redis_client import ANY_FAILURE, REFUSED, client, open_async
from sre_agent.testing.redis_follow import BackgroundLoop, told_primary

BLOCK_S = 0.25
"""A write that took longer than this counts as blocked."""


@dataclass(frozen=True)
class WriteCount:
    """The end of the count. `lost` = acknowledged but not found; `unknown` got no answer: never "lost".

    `refused` were answered with an error (a replica is read-only): certainly not written. `blocks` counts
    writes slower than BLOCK_S, `longest_block_s` the slowest acknowledged or refused one.
    """

    acknowledged: int
    found: int
    lost: int
    unknown: int
    refused: int
    blocks: int
    longest_block_s: float


class CountingWriter(BackgroundLoop):
    """`workers` writers, each one write at a time without retries, each key used once.

    A time-out or a connection lost under way leaves a write "unknown". After any error the writer asks
    the sentinels again, as a Sentinel-aware client does. `gap_s` between writes keeps the load polite.
    """

    def __init__(
        self, sentinels: Sequence[str], master: str, *, workers: int = 4, gap_s: float = 0.0005, timeout: float = 4.0
    ) -> None:
        super().__init__()
        self._sentinels, self._master = tuple(sentinels), master
        self._run_id = uuid.uuid4().hex[:8]
        self._workers, self._gap_s, self._timeout = workers, gap_s, timeout
        self._acknowledged: list[str] = []
        self._unknown = self._refused = self._blocks = 0
        self._longest = 0.0

    @property
    def acknowledged(self) -> int:
        """Writes acknowledged so far."""
        return len(self._acknowledged)

    def read_back(self, primary: str) -> WriteCount:
        """Count on the (new) primary, after `stop` and once the old one is a replica."""
        found = 0
        with client(primary, 10.0) as node:
            for start in range(0, len(self._acknowledged), 500):
                found += int(node.exists(*self._acknowledged[start : start + 500]))
        acknowledged = len(self._acknowledged)
        return WriteCount(
            acknowledged=acknowledged,
            found=found,
            lost=acknowledged - found,
            unknown=self._unknown,
            refused=self._refused,
            blocks=self._blocks,
            longest_block_s=round(self._longest, 3),
        )

    async def _run(self) -> None:
        await asyncio.gather(*(self._write(worker) for worker in range(self._workers)))

    async def _write(self, worker: int) -> None:
        number = 0
        while not self._stopping.is_set():
            address = await told_primary(self._sentinels, self._master)
            if address is None:
                await asyncio.sleep(0.05)
                continue
            node = open_async(address, self._timeout)
            try:
                while not self._stopping.is_set():
                    number += 1
                    key = f"count:{self._run_id}:{worker}:{number}"
                    began = time.monotonic()
                    try:
                        await node.set(key, "1")
                        self._acknowledged.append(key)
                    finally:
                        self._clock(time.monotonic() - began)
                    await asyncio.sleep(self._gap_s)
            except REFUSED:
                self._refused += 1
            except ANY_FAILURE:
                self._unknown += 1
            finally:
                await node.aclose()
            await asyncio.sleep(0.02)

    def _clock(self, seconds: float) -> None:
        self._blocks += seconds > BLOCK_S
        self._longest = max(self._longest, seconds)
