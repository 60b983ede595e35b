import os
import threading
import time
from collections.abc import Iterator

import pytest

from whoplays.bench.schedule import Schedule
from whoplays.bench.sender import send

FRAME_BYTES = 4
MS = 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def make_schedule(samples: int) -> Schedule:
    return Schedule(start_ns=time.monotonic_ns(), window_samples=samples, hop_samples=samples, windows=1)


def test_all_is_sent_and_nothing_before_it_is_due(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    schedule = make_schedule(1000)
    sent_ns = send(schedule, writing, schedule.last_due_ns + 60_000 * MS)
    assert len(sent_ns) == 3
    assert all(sent >= schedule.due_ns(end) for sent, end in zip(sent_ns, schedule.block_ends, strict=True))
    assert len(os.read(reading, 1 << 16)) == 1000 * FRAME_BYTES
    os.close(reading)


def test_a_slow_reader_gets_everything(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    schedule, got = make_schedule(44_100), bytearray()

    def read() -> None:
        time.sleep(0.6)
        while len(got) < 44_100 * FRAME_BYTES:
            got.extend(os.read(reading, 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    sent_ns = send(schedule, writing, schedule.last_due_ns + 60_000 * MS)
    reader.join()
    os.close(reading)
    assert len(sent_ns) == 100
    assert len(got) == 44_100 * FRAME_BYTES


def test_it_gives_up_at_the_cutoff_when_nobody_reads(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    schedule = make_schedule(88_200)
    sent_ns = send(schedule, writing, schedule.start_ns + 600 * MS)
    assert len(sent_ns) < len(schedule.block_ends)
    os.close(reading)


def test_it_gives_up_when_the_reader_is_gone(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    schedule = make_schedule(1000)
    assert len(send(schedule, writing, schedule.last_due_ns + 60_000 * MS)) == 1
