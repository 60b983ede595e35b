"""Senders that flood an inlet: it goes on with an honest one, in bounded memory."""

import threading
import time
from collections.abc import Callable
from itertools import count
from subprocess import Popen
from typing import Final

import pytest
import zmq

from tests.stream.raw_peer import connected, frame, half_open, peak_memory_mb, script, send_all
from tests.stream.sources.remote.packets import make_header, make_message

INLET: Final = """
import sys, threading
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.remote.source import open_remote
source = open_remote("zmq://127.0.0.1:0", ChannelSelection())

def tell():
    while source.endpoint.endswith("*"):
        threading.Event().wait(0.01)
    print(source.endpoint, flush=True)

threading.Thread(target=tell).start()
samples = 0
while True:
    try:
        for block in source.blocks():
            samples += block.audio.shape[1]
            print(samples, source.warning, flush=True)
    except SessionOverError:
        pass
"""
GROWTH_MB: Final = 500.0
ATTACK_S: Final = 3.0


def endless_parts(endpoint: str) -> None:
    """A message of parts of 1 MB that never ends."""
    with connected(endpoint, b"PUSH") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s and send_all(connection, frame(bytes((1 << 20) - 1), more=True), 1):
            pass


def endless_empty_parts(endpoint: str) -> None:
    """A message of empty parts that never ends."""
    with connected(endpoint, b"PUSH") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s and send_all(connection, 10_000 * b"\x01\x00", 1):
            pass


def many_parts(endpoint: str) -> None:
    """Messages with very many parts each."""
    with connected(endpoint, b"PUSH") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s and send_all(connection, 10_000 * b"\x01\x00" + b"\x00\x00", 1):
            pass


def send_honestly(endpoint: str, process: "Popen[str]") -> list[str]:
    """Send a second of audio; what the inlet says of each message."""
    assert process.stdout is not None
    with connected(endpoint, b"PUSH") as honest:
        for seq in range(20):
            header, pcm = make_message(make_header(2205 * seq, seq=seq))
            honest.sendall(frame(header, more=True) + frame(pcm))
            time.sleep(0.05)
        return [process.stdout.readline() for _ in range(20)]


@pytest.mark.slow
@pytest.mark.parametrize("attack", [endless_parts, endless_empty_parts, many_parts], ids=lambda each: each.__name__)
def test_a_flood_costs_bounded_memory_and_no_audio(attack: Callable[[str], None]) -> None:
    with script(INLET) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        before_mb = peak_memory_mb(process.pid)
        attackers = [threading.Thread(target=attack, args=(endpoint,)) for _ in range(3)]
        for each in attackers:
            each.start()
        time.sleep(ATTACK_S / 3)
        told = send_honestly(endpoint, process)
        assert told[-1].split()[0] == str(20 * 2205)
        for each in attackers:
            each.join()
        assert peak_memory_mb(process.pid) - before_mb < GROWTH_MB
        if attack is endless_parts:
            assert any("a connection was ended: it sent more than" in line for line in told)


def test_connections_that_say_nothing_leave_descriptors_for_others() -> None:
    with script(INLET, descriptors=64) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        with half_open(endpoint, 200), zmq.Context() as context, context.socket(zmq.PUSH) as honest:
            honest.connect(endpoint)  # and again where it is ended among the others, with what was on its way
            heard = threading.Event()
            sender = threading.Thread(target=_send_until, args=(heard, honest))
            sender.start()
            while int(process.stdout.readline().split()[0]) < 20 * 2205:
                pass
            heard.set()
            sender.join()


def _send_until(heard: threading.Event, honest: zmq.Socket[bytes]) -> None:
    for seq in count():
        honest.send_multipart(make_message(make_header(2205 * seq, seq=seq)))
        if heard.wait(0.05):
            return
