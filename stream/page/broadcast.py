"""Sending each change to every browser, as server-sent events: each at its own pace, and none is waited for."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from whoplays.stream.page.state import PageState

TICK_S: Final = 0.25
"""How often changes are sent."""
MOST_CLIENTS: Final = 32
MOST_WAITING: Final = 240
"""Who is so many ticks behind, a minute, is disconnected, and comes back by itself."""


class Broadcast:
    """What the page's state changes, to all who listen."""

    def __init__(self, state: PageState) -> None:
        self._state: Final = state
        self._clients: Final[set[asyncio.Queue[bytes | None]]] = set()

    @property
    def is_full(self) -> bool:
        """Whether nobody else can listen."""
        return len(self._clients) >= MOST_CLIENTS

    async def run(self) -> None:
        """Send what has changed, again and again, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            views, spans, notices = self._state.changes()
            events = [
                *(_event("stream", view) for view in views),
                *(_event("span", span) for span in spans),
                *(_event("notice", notice) for notice in notices),
                _event("time", {"now_ns": time.time_ns()}),
            ]
            self._send(b"".join(events))

    async def listen(self) -> AsyncIterator[bytes]:
        """What one client is sent: all streams as they are now, then what changes."""
        queue = asyncio.Queue[bytes | None](MOST_WAITING + 1)
        self._clients.add(queue)
        try:
            yield b"retry: 1000\n\n" + b"".join(_event("stream", view) for view in self._state.streams())
            while (events := await queue.get()) is not None:
                yield events
        finally:
            self._clients.discard(queue)

    def close(self) -> None:
        """Let all who listen end."""
        for queue in tuple(self._clients):
            self._drop(queue)

    def _send(self, events: bytes) -> None:
        for queue in tuple(self._clients):
            if queue.qsize() < MOST_WAITING:
                queue.put_nowait(events)
            else:
                self._drop(queue)

    def _drop(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._clients.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)


def _event(name: str, value: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))
