import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whoplays.bench.senders import (
    BLOCK_SAMPLES,
    FRAME_BYTES,
    HOST,
    NEVER_WITHHELD,
    RtpSender,
    Schedule,
    block_of,
    free_ports,
    send_pcm,
)

SECOND = 44_100
MS = 1_000_000
TIMEOUT_S = 30.0


def test_the_last_sample_of_each_window_is_due_a_hop_after_the_last() -> None:
    schedule = Schedule(start_ns=7, window_samples=3 * SECOND, hop_samples=SECOND // 4, windows=3)
    assert list(schedule.window_ends) == [132_300, 143_325, 154_350]
    assert [schedule.due_ns(end) for end in schedule.window_ends] == [3_000_000_007, 3_250_000_007, 3_500_000_007]
    assert (schedule.samples, schedule.last_due_ns) == (154_350, 3_500_000_007)


@given(window=st.integers(1, 5000), data=st.data(), windows=st.integers(1, 20))
def test_blocks_tile_the_samples(window: int, data: st.DataObject, windows: int) -> None:
    hop = data.draw(st.integers(1, window))
    schedule = Schedule(start_ns=0, window_samples=window, hop_samples=hop, windows=windows)
    ends = schedule.block_ends
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    assert ends[-1] == schedule.samples == window + (windows - 1) * hop
    assert all(size == BLOCK_SAMPLES for size in sizes[:-1])
    assert 1 <= sizes[-1] <= BLOCK_SAMPLES
    for end in schedule.window_ends:
        assert ends[block_of(end)] - BLOCK_SAMPLES < end <= ends[block_of(end)] or end == schedule.samples


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def one_window(samples: int) -> Schedule:
    return Schedule(start_ns=time.monotonic_ns(), window_samples=samples, hop_samples=samples, windows=1)


def test_all_pcm_is_sent_and_nothing_before_it_is_due(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    schedule = one_window(1000)
    sent_ns = send_pcm(schedule, writing, schedule.last_due_ns + 60_000 * MS)
    assert len(sent_ns) == 3
    assert all(sent >= schedule.due_ns(end) for sent, end in zip(sent_ns, schedule.block_ends, strict=True))
    assert len(os.read(reading, 1 << 16)) == 1000 * FRAME_BYTES
    os.close(reading)


def test_a_slow_reader_gets_all_pcm(pipe: tuple[int, int]) -> None:
    """The pipe, which holds 64 KiB, is full when it begins to read."""
    reading, writing = pipe
    schedule, received = one_window(SECOND // 2), bytearray()

    def read() -> None:
        time.sleep(0.45)
        while len(received) < SECOND // 2 * FRAME_BYTES:
            received.extend(os.read(reading, 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    sent_ns = send_pcm(schedule, writing, schedule.last_due_ns + 60_000 * MS)
    reader.join()
    os.close(reading)
    assert len(sent_ns) == 50
    assert len(received) == SECOND // 2 * FRAME_BYTES


def test_pcm_ends_at_the_cutoff_if_it_is_not_read(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    schedule = one_window(2 * SECOND)
    sent_ns = send_pcm(schedule, writing, schedule.start_ns + 600 * MS)
    assert len(sent_ns) < len(schedule.block_ends)
    os.close(reading)


def test_pcm_ends_if_the_pipe_is_closed(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.close(reading)
    schedule = one_window(1000)
    assert len(send_pcm(schedule, writing, schedule.last_due_ns + 60_000 * MS)) == 1


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((HOST, 0))
        receiver.settimeout(TIMEOUT_S)
        yield receiver


def test_withheld_packets_are_missing_from_the_sequence_and_no_others(receiver: socket.socket) -> None:
    with RtpSender([receiver.getsockname()[1]], loss=0.3, seed=1) as sender:
        assert sender.due_samples(time.monotonic_ns()) == 0
        sender.start()
        packets = [receiver.recv(4096) for _ in range(50)]
        sender.finish()
        receiver.setblocking(False)
        packets += list(remaining(receiver))
    headers = [struct.unpack(">BBHII", packet[:12]) for packet in packets]
    numbers = [number for _, _, number, _, _ in headers]
    assert numbers[:NEVER_WITHHELD] == list(range(NEVER_WITHHELD))
    assert numbers[-1] == sender.packets - 1
    assert len(set(numbers)) == len(numbers) == sender.packets - sender.withheld[0] < sender.packets
    assert {(flags, kind, ssrc) for flags, kind, _, _, ssrc in headers} == {(0x80, 10, 1)}
    assert all(timestamp == number * BLOCK_SAMPLES for _, _, number, timestamp, _ in headers)
    assert {len(packet) for packet in packets} == {12 + BLOCK_SAMPLES * FRAME_BYTES}
    assert sender.due_samples(time.monotonic_ns() + 10**12) == sender.samples


def remaining(receiver: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield receiver.recv(4096)
        except BlockingIOError:
            return


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(50))) == 50
