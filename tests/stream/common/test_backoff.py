import threading

import pytest

from whoplays.stream.common.backoff import FIRST_PAUSE_S, MAX_PAUSE_S, Backoff


class Clock(threading.Event):
    """Keeps the time, and the pauses that are waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.pauses_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses_s.append(timeout or 0.0)
        return self.is_set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("whoplays.stream.common.backoff.time.monotonic", lambda: clock.now_s)
    return clock


def test_pauses_double_up_to_a_limit_each_a_fifth_more_or_less(clock: Clock) -> None:
    expected_s = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    for attempt, _ in enumerate(Backoff(clock).attempts()):
        if attempt == len(expected_s):
            break
    assert clock.pauses_s == [pytest.approx(each, rel=0.2) for each in expected_s]


def test_they_begin_anew_after_an_attempt_that_lasted(clock: Clock) -> None:
    for attempt, _ in enumerate(Backoff(clock).attempts()):
        clock.now_s += {9: 9.0, 10: 11.0}.get(attempt, 0.0)
        if attempt == 11:
            break
    assert clock.pauses_s[9] > MAX_PAUSE_S / 2
    assert clock.pauses_s[10] < 2 * FIRST_PAUSE_S


def test_a_pause_can_be_skipped_and_attempts_end_when_stopped(clock: Clock) -> None:
    backoff = Backoff(clock)
    for attempt, _ in enumerate(backoff.attempts()):
        if attempt == 2:
            clock.set()
        backoff.skip_pause()
    assert clock.pauses_s == []
    assert attempt == 2
