"""A load of real streams: what comes of it, not how fast."""

import time
from pathlib import Path

import pytest

from whoplays.bench.latency import STAGES, measure_latency
from whoplays.bench.load import Load, run_load
from whoplays.bench.sender_process import send_on_schedule
from whoplays.bench.senders import Schedule


def test_streams_are_sent_in_turn_and_nothing_before_it_is_due() -> None:
    start_ns = time.monotonic_ns()
    schedules = [
        Schedule(start_ns=start_ns + late, window_samples=1000, hop_samples=500, windows=windows)
        for late, windows in ((0, 2), (5_000_000, 1))
    ]
    sent: list[tuple[int, int, int]] = []

    def send(stream: int, number: int) -> None:
        ends = (number + 1) * schedules[stream].block_samples
        assert time.monotonic_ns() >= schedules[stream].due_ns(min(ends, schedules[stream].samples))
        sent.append((stream, number, 0))

    sends = [lambda number, _, stream=stream: send(stream, number) for stream in (0, 1)]
    windows_ns = send_on_schedule(schedules, sends, [b""])
    assert [number for stream, number, _ in sent if stream == 0] == [0, 1, 2, 3]
    assert [number for stream, number, _ in sent if stream == 1] == [0, 1, 2]
    assert [len(each) for each in windows_ns] == [2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["rtp", "zmq"])
def test_windows_of_every_stream_are_received(model: Path, source: str) -> None:
    run = run_load(Load(str(model), "cpu", source, 0.5), [2, 1, 2])
    assert sorted(run.numbers) == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]
    assert len(run.windows) == 5
    assert all(times.due_ns <= times.sent_ns <= times.received_ns for times in run.windows)
    assert run.overload == 0
    assert run.usage.daemon > 0 < run.usage.sender
    assert run.usage.rss_mib > 0


@pytest.mark.slow
def test_latency_of_two_streams_is_of_all_windows(model: Path) -> None:
    result = measure_latency(str(model), 2, 0.5, "cpu", source="rtp", streams=2)
    assert (result.windows, result.received, result.lost, result.streams) == (4, 4, 0, 2)
    assert {len(result.samples_us[stage]) for stage in STAGES} == {4}
    assert result.command.endswith("--hop 0.5 --source rtp --streams 2 --provider cpu")
