import pytest

from whoplays.stream.common.backoff import FIRST_PAUSE_S, LONGEST_PAUSE_S, Backoff


def test_pauses_double_up_to_a_limit_each_a_fifth_more_or_less() -> None:
    backoff = Backoff()
    for expected_s in (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        assert backoff.pause_s() == pytest.approx(expected_s, rel=0.2)


def test_they_begin_anew_after_an_attempt_that_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr("whoplays.stream.common.backoff.time.monotonic", lambda: now_s)
    backoff = Backoff()
    for _ in range(9):
        backoff.pause_s()
    backoff.begin()
    now_s = 9.0
    assert backoff.pause_s() > LONGEST_PAUSE_S / 2
    backoff.begin()
    now_s = 20.0
    assert backoff.pause_s() < 2 * FIRST_PAUSE_S
