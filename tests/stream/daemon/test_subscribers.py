"""What subscribers that are killed or stand still cost the others, and the publisher: nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.stream.daemon.daemon import serving, stream, write
from tests.stream.daemon.feeding import Feed
from tests.stream.make_messages import make_status
from whoplays.bench.soak_checks import sample_resources
from whoplays.bench.stream_audit import StreamAudit
from whoplays.stream.pubsub.messages import Message, Notice, Window
from whoplays.stream.pubsub.publisher import HIGH_WATER_MESSAGES, Publisher
from whoplays.stream.pubsub.subscriber import Subscriber

PATIENCE_S = 60.0
HOP_S = 0.05
ROUND = 2_000
PADDING = "x" * 1_000
GROWTH_BYTES = 8 << 20
"""The messages that are sent meanwhile take more than twice as much."""


class Watch:
    """`whoplays watch --json` in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], shown: Path, noted: Path) -> None:
        self.process = process
        self._shown, self._noted = shown, noted

    @property
    def lines(self) -> int:
        """How many messages it has shown."""
        return self._shown.read_bytes().count(b"\n")

    @property
    def notes(self) -> str:
        """What it has said beside."""
        return self._noted.read_text()

    def await_lines(self, count: int) -> None:
        poll(lambda: self.lines >= count)


@contextmanager
def watching(endpoint: str, folder: Path) -> Iterator[Watch]:
    command = [sys.executable, "-m", "whoplays", "watch", endpoint, "--json"]
    shown, noted = folder / "shown", folder / "noted"
    with (
        shown.open("wb") as stdout,
        noted.open("wb") as stderr,
        subprocess.Popen(command, stdout=stdout, stderr=stderr) as process,
    ):
        try:
            yield Watch(process, shown, noted)
        finally:
            process.kill()


def poll(so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


class Survivor:
    """A subscriber who hears everything, and keeps the account of it."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.audits: dict[str, StreamAudit] = {}
        self.sessions: set[str] = set()
        self._subscriber = subscriber

    def hear(self, windows: int) -> None:
        """So many more windows of each of two streams."""
        counts = {"hall": 0, "stage": 0}
        deadline_s = time.monotonic() + PATIENCE_S
        while min(counts.values()) < windows:
            assert time.monotonic() < deadline_s
            item = next(self._subscriber)
            assert not isinstance(item, Notice), item
            counts[item.stream] += isinstance(item, Window)
            self._enter(item)

    def check(self) -> None:
        """Not a message is missing, and not a sample."""
        assert self._subscriber.lost == 0
        assert len(self.sessions) == len(self.audits) == 2
        for audit in self.audits.values():
            assert (audit.uncovered, audit.mismatches, audit.dropped_messages) == ([], [], 0)

    def _enter(self, message: Message) -> None:
        self.sessions.add(message.session)
        self.audits.setdefault(message.stream, StreamAudit(message)).add(message)


@pytest.fixture
def daemon(tmp_path: Path, model: Path) -> Iterator[str]:
    """The address of a daemon with two streams that begin when somebody listens."""
    with Feed() as hall, Feed(2) as stage:
        hop = f"hop_s = {HOP_S}"
        config = write(
            tmp_path / "concert.toml", model, stream("hall", hall.uri, hop) + stream("stage", stage.uri, hop)
        )
        with serving(config) as running:
            yield running.logged("publishing")["endpoint"]
            assert running.end() == 0


@pytest.mark.slow
def test_a_subscriber_that_is_killed_costs_the_others_nothing(daemon: str, tmp_path: Path) -> None:
    with Subscriber(daemon, silence_s=PATIENCE_S) as subscriber, watching(daemon, tmp_path) as victim:
        survivor = Survivor(subscriber)
        survivor.hear(1)
        victim.await_lines(3)
        victim.process.kill()
        assert victim.process.wait(PATIENCE_S) == -signal.SIGKILL
        survivor.hear(60)
        survivor.check()


@pytest.mark.slow
def test_a_subscriber_that_stands_still_costs_the_others_nothing(daemon: str, tmp_path: Path) -> None:
    with Subscriber(daemon, silence_s=PATIENCE_S) as subscriber, watching(daemon, tmp_path) as sleeper:
        survivor = Survivor(subscriber)
        survivor.hear(1)
        sleeper.await_lines(3)
        sleeper.process.send_signal(signal.SIGSTOP)
        before = sleeper.lines
        survivor.hear(60)
        survivor.check()
        assert sleeper.lines == before
        # It has missed less than the high-water mark, and so nothing.
        sleeper.process.send_signal(signal.SIGCONT)
        sleeper.await_lines(before + 120)
        assert "lost" not in sleeper.notes


@pytest.mark.slow
def test_one_that_stands_still_for_long_loses_messages_and_takes_no_memory(tmp_path: Path) -> None:
    with (
        Publisher("tcp://127.0.0.1:*") as publisher,
        Subscriber(publisher.endpoint, silence_s=PATIENCE_S) as subscriber,
    ):
        assert publisher.wait_for_subscriber(PATIENCE_S)
        relay = Relay(publisher, subscriber)
        with watching(publisher.endpoint, tmp_path) as sleeper:
            poll(lambda: bool(relay.send(1) and sleeper.lines))
            sleeper.process.send_signal(signal.SIGSTOP)
            before = relay.send(2 * HIGH_WATER_MESSAGES)
            after = relay.send(2 * HIGH_WATER_MESSAGES)
            sleeper.process.send_signal(signal.SIGCONT)
            sleeper.await_lines(HIGH_WATER_MESSAGES)
            poll(lambda: bool(relay.send(1)) and "lost " in sleeper.notes)
    assert after - before < GROWTH_BYTES < 2 * HIGH_WATER_MESSAGES * len(PADDING) // 2
    assert (subscriber.lost, publisher.dropped) == (0, 0)


class Relay:
    """From a publisher to a subscriber who hears all of it."""

    def __init__(self, publisher: Publisher, subscriber: Subscriber) -> None:
        self._publisher, self._subscriber = publisher, subscriber
        self._sent = 0

    def send(self, messages: int) -> int:
        """How much memory this process takes when so many more were sent and heard, a few at a time."""
        for _ in range(0, messages, ROUND):
            for _ in range(min(messages, ROUND)):
                self._publisher.send(msgspec.structs.replace(make_status(self._sent), detail=PADDING), wait=True)
                self._sent += 1
            while self._next() < self._sent - 1:
                pass
        return sample_resources(os.getpid()).rss_bytes

    def _next(self) -> int:
        item = next(self._subscriber)
        assert not isinstance(item, Notice), item
        return item.seq
