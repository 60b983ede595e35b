from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.sources.ffmpeg.player import CUSHION_NS, MOST_LATE_NS, Schedule

PIECE = 4410
PIECE_NS = 100_000_000
SECOND_NS = 1_000_000_000


class Played(NamedTuple):
    due_ns: list[int]
    missing: list[int]


def play(arrivals_ns: list[int]) -> Played:
    """What becomes of pieces of 0.1 s that arrive at these times."""
    schedule = Schedule()
    due_ns, missing = [], []
    for arrived_ns in arrivals_ns:
        lost = schedule.missing()
        if lost:
            missing.append(lost)
            schedule.due_ns(lost, None)
        due_ns.append(schedule.due_ns(PIECE, arrived_ns))
    return Played(due_ns, missing)


def live(pieces: int, *, burst: int = 0, ppm: float = 0.0) -> list[int]:
    """Arrivals of a broadcast by a clock that is fast by `ppm`; the first pieces come at once."""
    return [round(max(0, piece - burst) * PIECE_NS / (1 + ppm * 1e-6)) for piece in range(pieces)]


def test_a_burst_is_played_in_real_time_from_its_first_piece() -> None:
    played = play(live(90, burst=40))
    assert played.due_ns == [piece * PIECE_NS for piece in range(90)]


def test_a_stall_that_is_made_up_for_changes_nothing() -> None:
    arrivals = live(400, burst=10)
    arrivals[200:250] = [arrivals[250]] * 50
    assert play(arrivals) == play(live(400, burst=10))


@pytest.mark.parametrize("lost", [5, 30, 80])
def test_what_never_comes_is_missing_in_its_full_length(lost: int) -> None:
    arrivals = live(600)
    played = play(arrivals[:150] + arrivals[150 + lost :])
    assert sum(played.missing) == lost * PIECE
    assert played.due_ns[-1] == arrivals[-1]


def test_a_slow_clock_is_followed() -> None:
    arrivals = live(36_000, ppm=-100)
    played = play(arrivals)
    assert not played.missing
    late_ns = [arrived - due for arrived, due in zip(arrivals, played.due_ns, strict=True)]
    assert max(late_ns) < 10_000_000
    assert arrivals[-1] - arrivals[0] > 3_599_900_000_000 + 300_000_000


def test_a_fast_clock_and_a_burst_do_not_make_the_lag_grow_for_days() -> None:
    arrivals = live(200_000, burst=30, ppm=50)
    played = play(arrivals)
    assert not played.missing
    waits_ns = [due - arrived for arrived, due in zip(arrivals, played.due_ns, strict=True)]
    assert max(waits_ns) < 3.1 * SECOND_NS
    assert CUSHION_NS / 2 < waits_ns[-1] < 1.2 * CUSHION_NS


@settings(max_examples=100, deadline=None)
@given(steps_ms=st.lists(st.integers(0, 500), min_size=1, max_size=600))
def test_no_time_runs_backwards_and_no_more_is_made_up_for_than_there_was(steps_ms: list[int]) -> None:
    arrivals = [sum(steps_ms[: number + 1]) * 1_000_000 for number in range(len(steps_ms))]
    played = play(arrivals)
    assert played.due_ns == sorted(played.due_ns)
    made_up_ns = [lost * SECOND_NS / 44_100 for lost in played.missing]
    assert all(duration_ns > MOST_LATE_NS - 100_000 for duration_ns in made_up_ns)
    assert sum(made_up_ns) <= max(0, arrivals[-1] - arrivals[0])
