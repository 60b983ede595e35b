"""The sender, the watch, and the verdict of a soak."""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from whoplays.bench.footprint import FEWEST, Footprint, Growth, Look, growth, look
from whoplays.bench.senders import HOST, NEVER_LOST, PACKET_SAMPLES, RtpSender, free_ports
from whoplays.bench.soak_checks import MEMORY_GROWTH_BYTES, frugality

PATIENCE_S = 30.0


@pytest.fixture
def inlet() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        inlet.bind((HOST, 0))
        inlet.settimeout(PATIENCE_S)
        yield inlet


def test_what_is_withheld_is_missing_from_the_numbers_and_nothing_else(inlet: socket.socket) -> None:
    with RtpSender([inlet.getsockname()[1]], loss=0.3, seed=1) as sender:
        assert sender.due_samples(time.monotonic_ns()) == 0
        sender.start()
        packets = [inlet.recv(4096) for _ in range(50)]
        sender.finish()
        inlet.setblocking(False)
        packets += list(rest(inlet))
    headers = [struct.unpack(">BBHII", packet[:12]) for packet in packets]
    numbers = [number for _, _, number, _, _ in headers]
    assert numbers[:NEVER_LOST] == list(range(NEVER_LOST))
    assert numbers[-1] == sender.packets - 1
    assert len(set(numbers)) == len(numbers) == sender.packets - sender.withheld[0] < sender.packets
    assert {(flags, kind, ssrc) for flags, kind, _, _, ssrc in headers} == {(0x80, 10, 1)}
    assert all(timestamp == number * PACKET_SAMPLES for _, _, number, timestamp, _ in headers)
    assert {len(packet) for packet in packets} == {12 + 4 * PACKET_SAMPLES}
    assert sender.due_samples(time.monotonic_ns() + 10**12) == sender.packets * PACKET_SAMPLES


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_process_is_looked_at_with_its_children() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        both = look(process.pid)
        process.communicate("\n")
    own = look(os.getpid())
    assert both.files >= 6
    assert both.rss_bytes > 1 << 20
    assert own.rss_bytes > 1 << 20
    assert look(process.pid) == Look(0, 0)


def test_a_watch_ends_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.bench.footprint.EVERY_S", 0.01)
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process,
        Footprint(process.pid) as footprint,
    ):
        deadline_s = time.monotonic() + PATIENCE_S
        while len(footprint.looks) < 3 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        process.communicate(b"\n")
    assert len(footprint.looks) >= 3
    assert all(held.rss_bytes and held.files for held in footprint.looks)


def test_growth_is_from_the_second_third_to_the_last() -> None:
    assert growth([5] * (FEWEST - 1)) is None
    assert growth([0] * 20 + [10] * 20 + [12] * 20) == Growth(10, 12)


@pytest.mark.parametrize(
    ("more_bytes", "more_files", "verdicts"),
    [
        (0, 0, [True, True]),
        (MEMORY_GROWTH_BYTES + 1, 0, [False, True]),
        (0, 3, [True, False]),
        (-(10**9), -9, [True, True]),
    ],
)
def test_a_daemon_that_grows_is_found_out(more_bytes: int, more_files: int, verdicts: list[bool]) -> None:
    before, after = Look(1 << 20, 30), Look((1 << 20) + more_bytes, 30 + more_files)
    assert [point.holds for point in frugality([before] * 40 + [after] * 20)] == verdicts


def test_a_short_run_is_not_judged() -> None:
    assert [point.holds for point in frugality([Look(1, 1)])] == [None, None]


def rest(inlet: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield inlet.recv(4096)
        except BlockingIOError:
            return
