"""Following a Sentinel-managed primary from a background thread, as a Sentinel-aware client does."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Self

from sre_agent.testing.redis_client import ANY_FAILURE, open_async


async def told_primary(sentinels: Sequence[str], master: str) -> str | None:
    """The first answer of any sentinel, as clients ask it ("host:port"); None when none answers."""
    for sentinel in sentinels:
        one = open_async(sentinel, 0.5)
        try:
            answer: object = await one.sentinel_get_master_addr_by_name(master)
        except ANY_FAILURE:
            continue
        finally:
            await one.aclose()
        if isinstance(answer, list | tuple) and len(answer) == 2:
            return f"{answer[0]}:{answer[1]}"
    return None


class BackgroundLoop:
    """A thread with an event loop of its own, running `_run` until `stop`. A context manager.

    `_run` must end soon after `self._stopping` is set.
    """

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._main, daemon=True, name=type(self).__name__)
        self._stopping = threading.Event()
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End and wait; raises what ended the work early, if anything did."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=30)
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _run(self) -> None:
        """The work."""
        raise NotImplementedError

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except (RuntimeError, ValueError, TypeError, LookupError, OSError) as broken:
            self._failure = broken
