"""Showing messages without ever waiting for who looks at them."""

import queue
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from whoplays.stream.cli.view import View
from whoplays.stream.pubsub.messages import End, Message
from whoplays.stream.pubsub.subscriber import Notice

QUEUE_MESSAGES: Final = 1000
CHECK_S: Final = 0.1


class Display:
    """A view in a thread of its own: a full pipe or a paused terminal delays no listening and no publishing.

    When the view falls too far behind, it skips messages and is told how many. It always gets the `end`.
    """

    def __init__(self, view: View) -> None:
        self._view: Final = view
        self._queue: Final = queue.Queue[Message | Notice | None](QUEUE_MESSAGES)
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="whoplays-display")
        self._showing: Future[None] | None = None
        self._skipped = 0

    def __enter__(self) -> Self:
        self._showing = self._thread.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put(None, wait=True)
        self._thread.shutdown()
        if error is None:
            self._check()

    def show(self, item: Message | Notice) -> None:
        """Show a message or a notice soon; raises what the view raised, if it has failed."""
        self._check()
        wait = isinstance(item, End)
        try:
            self._tell_skipped(wait=wait)
            self._put(item, wait=wait)
        except queue.Full:
            self._skipped += 1

    def _tell_skipped(self, *, wait: bool) -> None:
        if self._skipped:
            text = f"nobody read fast enough: {self._skipped} messages were not shown"
            self._put(Notice(what="lost", text=text, count=self._skipped), wait=wait)
            self._skipped = 0

    def _put(self, item: Message | Notice | None, *, wait: bool) -> None:
        """Queue an item; wait for room if it must be shown, but not for a view that has failed."""
        if not wait:
            self._queue.put_nowait(item)
        while wait and not self._failed():
            with suppress(queue.Full):
                self._queue.put(item, timeout=CHECK_S)
                return

    def _check(self) -> None:
        if self._showing is not None and self._showing.done():
            self._showing.result()

    def _failed(self) -> bool:
        return self._showing is not None and self._showing.done()

    def _run(self) -> None:
        with self._view as view:
            while (item := self._queue.get()) is not None:
                view.show(item)
