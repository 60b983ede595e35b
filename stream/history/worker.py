"""The thread that writes the history, so that a slow disk delays nothing else."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, Self

from whoplays.models.errors import DataError
from whoplays.stream.common.logging import log
from whoplays.stream.common.thread_watch import ThreadWatch
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.history.database import HistoryDatabase
from whoplays.stream.history.retention import AgeLimit, SizeLimit
from whoplays.stream.pubsub.messages import Message

QUEUE_MESSAGES: Final = 10_000
BATCH_MESSAGES: Final = 2_000
COMMIT_S: Final = 0.5
"""Half of the second that may be lost; the other half is for the disk."""
RETRY_S: Final = 1.0
RETENTION_S: Final = 5.0


class HistoryWorker(WorkerThread[Message]):
    """Writes messages to a database, in a thread of its own from `__enter__` to `__exit__`.

    A message of a second ago is on the disk. A disk that is full, slow or gone is tried again every second; what does
    not fit into the queue meanwhile is dropped and counted. A file that was removed or replaced is made anew; after an
    unforeseen error the thread goes on, without the messages in hand.

    Args:
        path: the database; made if there is none.
        keep_windows: write each window's probabilities too, not only who played when.
        max_age_days: delete what is older; None keeps it.
        max_mb: delete the oldest when the database is larger; None lets it grow.
        on_problem: is called, in the thread, with a line when writing begins to fail, and when it works again.
        watch: starts the thread again, if need be.

    Raises:
        DataError: on entering: the database cannot be written, or is of a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_windows: bool = True,
        max_age_days: AgeLimit | None = None,
        max_mb: SizeLimit | None = None,
        on_problem: Callable[[str], None] = lambda _: None,
        watch: ThreadWatch | None = None,
    ) -> None:
        super().__init__("whoplays-history", QUEUE_MESSAGES)
        self.dropped = 0
        """Messages that were dropped."""
        self.unkept = 0
        """Of these, how many at the end, when it could not be tried again."""
        self._path: Final = path
        self._database: Final = HistoryDatabase(
            path, keep_windows=keep_windows, max_age_days=max_age_days, max_mb=max_mb, on_replaced=on_problem
        )
        self._watch: Final = watch or ThreadWatch(log())
        self._on_problem: Final = on_problem
        self._counting: Final = threading.Lock()
        self._failing: Final[dict[str, str]] = {}
        self._retention_due_s = 0.0

    def __enter__(self) -> Self:
        # Opened here, so that the caller gets what is wrong, and used by the thread alone.
        self._database.open()
        self._start(self._run)
        return self

    def handle(self, message: Message) -> None:
        """Write a message soon; never waits."""
        if not self._put(message):
            self._drop(1)

    def trouble(self) -> str | None:
        """Why nothing is kept now, in one line; None if all is. May be asked from any thread."""
        return next(iter(tuple(self._failing.values())), None)

    def _run(self) -> None:
        self._watch.run("history", self._keep, self._leaving)
        self._give_up(self.waiting)

    def _keep(self) -> None:
        with closing(self._database):
            while not self._finished:
                self._write(self._gather())
                if time.monotonic() >= self._retention_due_s:
                    self._retention_due_s = time.monotonic() + RETENTION_S
                    self._attempt("shorten", self._database.shorten)

    def _gather(self) -> list[Message]:
        """What comes within half a second, or what has come when the context is left."""
        batch: list[Message] = []
        due_s = time.monotonic() + COMMIT_S
        while len(batch) < BATCH_MESSAGES and (message := self._take(max(0.0, due_s - time.monotonic()))):
            batch.append(message)
        return batch

    def _write(self, batch: list[Message]) -> None:
        """Write a batch, however often it must be tried; but once only when the context was left."""
        while batch:
            last = self._leaving.is_set()
            try:
                written = self._attempt("write", lambda: self._database.write(batch))
            except BaseException:
                self._drop(len(batch))
                raise
            if written:
                return
            if last:
                self._give_up(len(batch))
                return
            self._leaving.wait(RETRY_S)

    def _attempt(self, verb: str, action: Callable[[], None]) -> bool:
        """Whether it succeeded; the first failure in a row is reported, and so is the success after it."""
        try:
            action()
        except (sqlite3.Error, DataError, OSError) as error:
            if verb not in self._failing:
                self._failing[verb] = f"cannot {verb} the history in {self._path}: {error}; it is tried again"
                self._on_problem(self._failing[verb])
            return False
        if verb in self._failing:
            del self._failing[verb]
            self._on_problem(f"could {verb} the history in {self._path} again; {self.dropped} messages were dropped")
        return True

    def _give_up(self, count: int) -> None:
        """Drop what will never be tried again; who enters this and leaves it looks at `unkept`."""
        self.unkept += count
        self._drop(count)

    def _drop(self, count: int) -> None:
        with self._counting:
            self.dropped += count
