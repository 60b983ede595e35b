"""A thread with a bounded queue: what publisher, display, history and sender of audio have in common."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, ParamSpec, TypeVar

Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")


class WorkerThread(Generic[Item]):
    """Hands items to a thread that ends once the context is left and all of them are taken.

    A subclass calls `_start` on entering and `_put` for each item; its thread calls `_take` until it is `_finished`.
    Whatever ended the thread before is raised by `_put`, and on leaving, unless another error is under way there.
    """

    def __init__(self, name: str, capacity: int) -> None:
        self._leaving: Final = threading.Event()
        """Set once nothing more is put."""
        self._capacity: Final = capacity
        self._items: Final = deque[Item]()
        self._changed: Final = threading.Condition()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._work: Future[None] | None = None

    def __exit__(self, error: object = None, *_: object) -> None:
        self._leaving.set()
        self._notify()
        self._thread.shutdown()
        if error is None:
            self._check()

    @property
    def waiting(self) -> int:
        """How many items wait to be taken."""
        return len(self._items)

    def _start(self, work: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Run `work` in the thread."""
        self._work = self._thread.submit(work, *args, **kwargs)
        self._work.add_done_callback(self._notify)

    def _put(self, item: Item, timeout_s: float | None = 0.0) -> bool:
        """Add an item; False if there is no room within the time, None waits as long as the thread lives."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._capacity or self._ended, timeout_s)
            self._check()
            if len(self._items) >= self._capacity:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def _take(self, timeout_s: float | None = None) -> Item | None:
        """The oldest item; None if there is none within the time, or once all are taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._leaving.is_set(), timeout_s)
            if not self._items:
                return None
            self._changed.notify_all()
            return self._items.popleft()

    @property
    def _finished(self) -> bool:
        """Whether nothing more is put and everything is taken."""
        return self._leaving.is_set() and not self._items

    @property
    def _ended(self) -> bool:
        return self._work is not None and self._work.done()

    def _check(self) -> None:
        """Raise what has ended the thread."""
        if self._work is not None and self._work.done():
            self._work.result()

    def _notify(self, _work: Future[None] | None = None) -> None:
        with self._changed:
            self._changed.notify_all()
