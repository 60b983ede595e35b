"""Subscribers that flood a publisher: it publishes all the same, in bounded memory, and ends."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from subprocess import Popen
from typing import Final

import pytest

from tests.stream.raw_peer import connected, frame, greeting, half_open, peak_memory_mb, script, send_all
from whoplays.stream.pubsub.messages import Gap
from whoplays.stream.pubsub.subscriber import Subscriber

PUBLISHER: Final = """
import signal, sys, threading, time
from tests.stream.make_messages import make_gap
from whoplays.stream.pubsub.publisher import Publisher

over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
with Publisher("tcp://127.0.0.1:*") as publisher:
    print(publisher.endpoint, flush=True)
    seq = 0
    while not over.wait(0.02):
        publisher.send(make_gap(seq))
        seq += 1
"""
GROWTH_MB: Final = 200.0
ATTACK_S: Final = 2.0
END_S: Final = 5.0


@contextmanager
def publishing(descriptors: int | None = None) -> Iterator[tuple[Popen[str], str]]:
    """A process that publishes 50 messages a second, and its address."""
    with script(PUBLISHER, descriptors=descriptors) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def big_frames(endpoint: str) -> None:
    """Before any handshake is over, frames of 300 MB."""
    with connected(endpoint) as connection:
        connection.sendall(greeting() + frame(b"\x05READY", command=True, claimed=300 << 20))
        send_all(connection, bytes(1 << 20), 300)


def long_prefix(endpoint: str) -> None:
    """Subscribe to a prefix of 10 MB."""
    with connected(endpoint, b"SUB") as connection:
        send_all(connection, frame(b"\x01" + os.urandom(10 << 20)), 1)
        time.sleep(ATTACK_S)


def many_prefixes(endpoint: str) -> None:
    """Subscribe to one prefix after another."""
    with connected(endpoint, b"SUB") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s:
            if not send_all(connection, b"".join(frame(b"\x01" + os.urandom(250)) for _ in range(100)), 1):
                return


def the_same_again(endpoint: str) -> None:
    """Subscribe to one prefix and end that, again and again."""
    with connected(endpoint, b"SUB") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s:
            if not send_all(connection, 200 * (frame(b"\x01whoplays") + frame(b"\x00whoplays")), 1):
                return


def pings(endpoint: str) -> None:
    """Ask for an answer again and again, and read none."""
    with connected(endpoint, b"SUB") as connection:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s:
            if not send_all(connection, 200 * frame(b"\x04PING\x00\x00" + 16 * b"x", command=True), 1):
                return


def again_and_again(attack: Callable[[str], None]) -> Callable[[str], None]:
    """An attack by somebody who connects again when disconnected."""

    def repeated(endpoint: str) -> None:
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s:
            try:
                attack(endpoint)
            except OSError:
                time.sleep(0.01)

    repeated.__name__ = f"{attack.__name__}_again_and_again"
    return repeated


@pytest.mark.parametrize(
    ("attack", "growth_mb"),
    [
        pytest.param(big_frames, GROWTH_MB, id="big_frames"),
        pytest.param(long_prefix, GROWTH_MB, id="long_prefix"),
        pytest.param(many_prefixes, GROWTH_MB, id="many_prefixes"),
        pytest.param(the_same_again, GROWTH_MB, id="the_same_again"),
        pytest.param(pings, GROWTH_MB, id="pings"),
        pytest.param(
            again_and_again(many_prefixes),
            GROWTH_MB,
            id="many_prefixes_again",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_flood_costs_bounded_memory_and_no_messages(attack: Callable[[str], None], growth_mb: float) -> None:
    with publishing() as (process, endpoint), Subscriber(endpoint, silence_s=60) as good:
        next(good)
        before_mb = peak_memory_mb(process.pid)
        attackers = [threading.Thread(target=attack, args=(endpoint,)) for _ in range(5)]
        for each in attackers:
            each.start()
        received = 0
        until_s = time.monotonic() + ATTACK_S
        while time.monotonic() < until_s:
            received += isinstance(next(good), Gap)
        for each in attackers:
            each.join()
        assert peak_memory_mb(process.pid) - before_mb < growth_mb
        assert good.lost == 0
        assert received > ATTACK_S * 50 / 3


def test_a_publisher_ends_in_time_under_a_flood() -> None:
    with publishing() as (process, endpoint), ExitStack() as stack:
        attackers = [threading.Thread(target=again_and_again(many_prefixes), args=(endpoint,)) for _ in range(5)]
        for each in attackers:
            each.start()
            stack.callback(each.join)
        time.sleep(ATTACK_S / 2)
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)
        assert process.returncode == 0


def test_connections_that_say_nothing_leave_descriptors_for_others() -> None:
    with publishing(descriptors=48) as (process, endpoint), half_open(endpoint, 200):
        with Subscriber(endpoint, silence_s=60) as good:
            assert isinstance(next(good), Gap)
        process.send_signal(signal.SIGTERM)
        process.wait(END_S)
        assert process.returncode == 0
