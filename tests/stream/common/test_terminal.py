import signal
import threading

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


def test_a_second_interruption_interrupts_at_once() -> None:
    """Also while what the first one asked for is still under way."""
    under_way, done = threading.Event(), threading.Event()

    def stop() -> None:
        under_way.set()
        done.wait()

    def interrupt_twice() -> None:
        with stop_on_signals(stop):
            signal.raise_signal(signal.SIGINT)
            under_way.wait()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
    assert not done.is_set()
    done.set()


def test_a_stop_that_comes_last_is_heeded_still() -> None:
    stopped = threading.Event()
    with stop_on_signals(stopped.set):
        signal.raise_signal(signal.SIGTERM)
    assert stopped.is_set()
