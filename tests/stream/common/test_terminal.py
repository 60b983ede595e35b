import signal
import threading
from collections.abc import Callable

import pytest

from whoplays.stream.common.terminal import stop_on_signals

PATIENCE_S = 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_stops_may_take_a_lock_that_the_interrupted_code_holds(number: signal.Signals) -> None:
    lock, stopped, interrupted = threading.Lock(), threading.Event(), signal.getsignal(number)

    def stop() -> None:
        if lock.acquire(timeout=PATIENCE_S):
            stopped.set()

    with stop_on_signals(stop):
        with lock:
            signal.raise_signal(number)
        assert stopped.wait(PATIENCE_S)
    assert signal.getsignal(number) == interrupted
    assert "whoplays-stop" not in {thread.name for thread in threading.enumerate()}


def interrupt_twice(stop: Callable[[], None], under_way: threading.Event) -> None:
    with stop_on_signals(stop):
        signal.raise_signal(signal.SIGINT)
        under_way.wait()
        signal.raise_signal(signal.SIGINT)


def test_a_second_interruption_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while what the first one asked for is still under way."""
    monkeypatch.setattr("whoplays.stream.common.terminal.REPEAT_S", 0.0)
    under_way, done = threading.Event(), threading.Event()

    def stop() -> None:
        under_way.set()
        done.wait()

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice(stop, under_way)
    assert not done.is_set()
    done.set()


def test_two_interruptions_at_once_are_one() -> None:
    under_way = threading.Event()
    interrupt_twice(under_way.set, under_way)


def test_a_stop_that_comes_last_is_heeded_still() -> None:
    stopped = threading.Event()
    with stop_on_signals(stopped.set):
        signal.raise_signal(signal.SIGTERM)
    assert stopped.is_set()
