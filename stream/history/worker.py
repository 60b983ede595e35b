"""The thread that keeps the history, so that a slow disk delays nobody."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from whoplays.stream.history.retention import Retention, check_limits
from whoplays.stream.history.schema import open_to_write
from whoplays.stream.history.writer import HistoryWriter
from whoplays.stream.pubsub.messages import Message

QUEUE_MESSAGES: Final = 10_000
BATCH_MESSAGES: Final = 2_000
COMMIT_S: Final = 0.5
"""Half of the second that may be lost; the other half is for the disk."""
RETRY_S: Final = 1.0
RETENTION_S: Final = 5.0


class HistoryWorker:
    """Writes messages to a database, in a thread of its own from `__enter__` to `__exit__`.

    What was given a second ago is on the disk. A disk that is full, slow or gone is tried again every second; what
    does not fit into the queue meanwhile is given up and counted.

    Args:
        path: the database; made if there is none.
        keep_windows: keep each window's probabilities too, not only who played when.
        max_age_days: forget what is older; None keeps it.
        max_bytes: forget the oldest when the database is larger; None lets it grow.
        tell: is called, from the keeper's thread, with a line about each trouble once, and when it is over.

    Raises:
        OptionError: a limit makes no sense.
        DataError: on entering: the database cannot be written, or is of a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_windows: bool,
        max_age_days: float | None,
        max_bytes: int | None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        check_limits(max_age_days, max_bytes)
        self.dropped = 0
        """Messages that were given up."""
        self._path: Final = path
        self._keep_windows: Final = keep_windows
        self._limits: Final = (max_age_days, max_bytes)
        self._tell: Final = tell
        self._queue: Final = queue.Queue[Message](QUEUE_MESSAGES)
        self._leaving: Final = threading.Event()
        self._counting: Final = threading.Lock()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="whoplays-history")
        self._writing: Future[None] | None = None
        self._troubles: Final[set[str]] = set()
        self._retention_due_s = 0.0

    def __enter__(self) -> Self:
        # Opened here, where the caller hears of what is wrong, and used by the thread alone.
        connection = open_to_write(self._path)
        scribe = HistoryWriter(connection, keep_windows=self._keep_windows)
        self._writing = self._thread.submit(self._run, connection, scribe, Retention(connection, *self._limits))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.shutdown()
        if self._writing is not None and error is None:
            self._writing.result()

    def keep(self, message: Message) -> None:
        """Keep a message soon; never waits."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._give_up(1)

    def _run(self, connection: sqlite3.Connection, scribe: HistoryWriter, retention: Retention) -> None:
        with closing(connection):
            while not self._done():
                self._write(scribe, self._gather())
                self._forget(retention)

    def _done(self) -> bool:
        return self._leaving.is_set() and self._queue.empty()

    def _gather(self) -> list[Message]:
        """What comes within half a second of the first message, or what has come when the keeper leaves."""
        batch: list[Message] = []
        due_s = time.monotonic() + COMMIT_S
        while len(batch) < BATCH_MESSAGES and not self._done():
            try:
                # Short enough to see soon that the keeper leaves.
                batch.append(self._queue.get(timeout=min(0.1, max(0.0, due_s - time.monotonic()))))
            except queue.Empty:
                if time.monotonic() >= due_s:
                    break
        return batch

    def _write(self, scribe: HistoryWriter, batch: list[Message]) -> None:
        """Write a batch, however often it must be tried; but once only when the keeper leaves."""
        while batch:
            last = self._leaving.is_set()
            if self._attempt("write", lambda: scribe.write(batch)):
                return
            if last:
                self._give_up(len(batch))
                return
            self._leaving.wait(RETRY_S)

    def _forget(self, retention: Retention) -> None:
        if time.monotonic() >= self._retention_due_s:
            self._retention_due_s = time.monotonic() + RETENTION_S
            self._attempt("shorten", retention.apply)

    def _attempt(self, what: str, action: Callable[[], None]) -> bool:
        """Whether it succeeded; the first failure in a row is told, and so is the success after it."""
        try:
            action()
        except sqlite3.Error as error:
            if what not in self._troubles:
                self._troubles.add(what)
                self._tell(f"cannot {what} the history in {self._path}: {error}; it is tried again")
            return False
        if what in self._troubles:
            self._troubles.remove(what)
            self._tell(f"could {what} the history in {self._path} again; {self.dropped} messages were given up so far")
        return True

    def _give_up(self, count: int) -> None:
        with self._counting:
            self.dropped += count
