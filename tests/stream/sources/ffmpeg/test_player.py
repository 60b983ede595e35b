import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.ffmpeg.decoder import Chunk
from whoplays.stream.sources.ffmpeg.player import MAX_LATE_NS, Player, Schedule

SAMPLES = 2205
NS = 50_000_000
CHUNK = 4410
CHUNK_NS = 100_000_000
SECOND_NS = 1_000_000_000


def test_what_comes_at_once_is_handed_out_when_it_is_due() -> None:
    sent: list[tuple[Block, int]] = []
    start_ns = time.monotonic_ns()
    with Player(lambda block: sent.append((block, time.monotonic_ns()))) as player:
        for number in range(12):
            lost: GapCause | None = "network" if number == 5 else None
            player.put(Chunk(np.full((2, SAMPLES), 0 if lost else 0.5, np.float32), lost), start_ns)
    assert [block.captured_at_ns for block, _ in sent] == [start_ns + number * NS for number in range(12)]
    assert [number for number, (block, _) in enumerate(sent) if block.lost] == [5]
    assert all(at_ns >= block.captured_at_ns for block, at_ns in sent)


def test_what_never_came_is_replaced() -> None:
    """Chunks that arrived long ago, so that nothing has to be waited for; after 5 s of them, 3 s went missing."""
    sent: list[Block] = []
    start_ns = time.monotonic_ns() - 60_000_000_000
    with Player(sent.append) as player:
        for number in range(500):
            late_ns = 3_000_000_000 if number >= 100 else 0
            player.put(Chunk(np.zeros((2, SAMPLES), np.float32)), start_ns + number * NS + late_ns)
    assert sum(block.audio.shape[1] for block in sent if block.lost) == 3 * 44_100


class Played(NamedTuple):
    due_ns: list[int]
    missing: list[int]


def play(arrivals_ns: list[int]) -> Played:
    """What becomes of chunks of 0.1 s that arrive at these times."""
    schedule = Schedule()
    due_ns, missing = [], []
    for arrived_ns in arrivals_ns:
        lost = schedule.missing()
        if lost:
            missing.append(lost)
            schedule.due_ns(lost, None)
        due_ns.append(schedule.due_ns(CHUNK, arrived_ns))
    return Played(due_ns, missing)


def live(chunks: int, *, burst: int = 0, ppm: float = 0.0) -> list[int]:
    """Arrivals of a broadcast by a clock that is fast by `ppm`; the first chunks come at once."""
    return [round(max(0, chunk - burst) * CHUNK_NS / (1 + ppm * 1e-6)) for chunk in range(chunks)]


def test_a_burst_is_played_in_real_time_from_its_first_chunk() -> None:
    played = play(live(90, burst=40))
    assert played.due_ns == [chunk * CHUNK_NS for chunk in range(90)]


def test_a_stall_that_the_sender_catches_up_on_changes_nothing() -> None:
    arrivals = live(400, burst=10)
    arrivals[200:250] = [arrivals[250]] * 50
    assert play(arrivals) == play(live(400, burst=10))


@pytest.mark.parametrize("lost", [5, 30, 80])
def test_what_never_comes_is_missing_in_its_full_length(lost: int) -> None:
    arrivals = live(600)
    played = play(arrivals[:150] + arrivals[150 + lost :])
    assert sum(played.missing) == lost * CHUNK
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
    assert waits_ns[-1] > 2.9 * SECOND_NS


def test_what_comes_exactly_in_time_is_played_exactly_in_time() -> None:
    """A broadcast with a burst, and a recording that is read 20 s ahead."""
    for arrivals in (live(3000, burst=40), [max(0, chunk - 200) * CHUNK_NS for chunk in range(3000)]):
        played = play(arrivals)
        assert played.due_ns == [chunk * CHUNK_NS for chunk in range(3000)]


@settings(max_examples=100)
@given(steps_ms=st.lists(st.integers(0, 500), min_size=1, max_size=600))
def test_no_time_runs_backwards_and_no_more_is_missing_than_there_was(steps_ms: list[int]) -> None:
    arrivals = [sum(steps_ms[: number + 1]) * 1_000_000 for number in range(len(steps_ms))]
    played = play(arrivals)
    assert played.due_ns == sorted(played.due_ns)
    missing_ns = [lost * SECOND_NS / 44_100 for lost in played.missing]
    assert all(duration_ns > MAX_LATE_NS - 100_000 for duration_ns in missing_ns)
    assert sum(missing_ns) <= max(0, arrivals[-1] - arrivals[0])
