import threading
import time
from collections.abc import Callable
from typing import Self

import pytest

from whoplays.stream.common.worker_thread import WorkerThread


class Collector(WorkerThread[int]):
    """Takes numbers, each once it may."""

    def __init__(self, capacity: int = 3, on_take: Callable[[int], object] = id) -> None:
        super().__init__("test-collector", capacity)
        self.taken: list[int] = []
        self._on_take = on_take

    def __enter__(self) -> Self:
        self._start(self._run)
        return self

    def put(self, item: int, timeout_s: float | None = 0.0) -> bool:
        return self._put(item, timeout_s)

    def _run(self) -> None:
        while not self._finished:
            item = self._take(60)
            if item is not None:
                self._on_take(item)
                self.taken.append(item)


def fail(_item: int) -> None:
    raise ZeroDivisionError


def test_all_that_was_put_is_taken_in_order_before_it_ends() -> None:
    with Collector() as collector:
        assert all(collector.put(item, None) for item in range(1000))
    assert collector.taken == list(range(1000))
    assert "test-collector" not in "".join(thread.name for thread in threading.enumerate())


def test_it_ends_at_once_when_nothing_waits() -> None:
    began_s = time.monotonic()
    with Collector():
        pass
    assert time.monotonic() - began_s < 10


def test_a_full_queue_refuses_at_once_or_after_a_while_or_waits_for_room() -> None:
    may_take = threading.Event()
    with Collector(2, lambda _: may_take.wait()) as collector:
        assert collector.put(0)
        while collector.waiting:
            time.sleep(0.001)
        assert [collector.put(item) for item in (1, 2, 3)] == [True, True, False]
        assert not collector.put(4, timeout_s=0.01)
        threading.Timer(0.05, may_take.set).start()
        assert collector.put(5, timeout_s=None)
    assert collector.taken == [0, 1, 2, 5]


def test_what_ended_the_thread_is_raised_by_put_and_on_leaving() -> None:
    with pytest.raises(ZeroDivisionError), Collector(1, fail) as collector:
        collector.put(0)

    def put_for_ever() -> None:
        with Collector(1, fail) as collector:
            while True:
                collector.put(0, timeout_s=None)

    with pytest.raises(ZeroDivisionError):
        put_for_ever()


def test_another_error_is_not_hidden_by_what_ended_the_thread() -> None:

    def fail_otherwise() -> None:
        with Collector(1, fail) as collector:
            collector.put(0)
            raise KeyError

    with pytest.raises(KeyError):
        fail_otherwise()
