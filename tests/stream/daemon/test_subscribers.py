"""What subscribers that are killed or stop cost the others, and the publisher: nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.stream.daemon.daemon import serving, stream, write
from tests.stream.daemon.feeding import Feed
from tests.stream.history.make_history import wait_for
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
        """Its notes on standard error."""
        return self._noted.read_text()

    def await_lines(self, count: int) -> None:
        wait_for(lambda: self.lines >= count, PATIENCE_S)


@contextmanager
def watching(endpoint: str, folder: Path) -> Iterator[Watch]:
    folder.mkdir(exist_ok=True)
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


class Survivor:
    """A subscriber that audits all that it receives."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.audits: dict[str, StreamAudit] = {}
        self.sessions: set[str] = set()
        self._subscriber = subscriber

    def receive(self, windows: int) -> None:
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


@pytest.mark.slow
def test_subscribers_that_stop_or_are_killed_cost_the_others_nothing(tmp_path: Path, model: Path) -> None:
    with Feed() as hall, Feed(2) as stage:
        streams = (stream(name, feed.uri, f"hop_s = {HOP_S}") for name, feed in (("hall", hall), ("stage", stage)))
        with (
            serving(write(tmp_path / "concert.toml", model, "".join(streams))) as daemon,
            # The streams begin when somebody subscribes.
            Subscriber(endpoint := daemon.logged("publishing")["endpoint"], silence_s=PATIENCE_S) as subscriber,
            watching(endpoint, tmp_path / "killed") as killed,
            watching(endpoint, tmp_path / "stopped") as stopped,
        ):
            survivor = Survivor(subscriber)
            survivor.receive(1)
            for each in (killed, stopped):
                each.await_lines(3)
            killed.process.kill()
            stopped.process.send_signal(signal.SIGSTOP)
            assert killed.process.wait(PATIENCE_S) == -signal.SIGKILL
            before = stopped.lines
            survivor.receive(60)
            survivor.check()
            assert stopped.lines == before
            # It has missed less than the high-water mark, and so nothing.
            stopped.process.send_signal(signal.SIGCONT)
            stopped.await_lines(before + 120)
            assert "lost" not in stopped.notes
            assert daemon.end() == 0


@pytest.mark.slow
def test_one_that_stops_for_long_loses_messages_and_takes_no_memory(tmp_path: Path) -> None:
    with (
        Publisher("tcp://127.0.0.1:*") as publisher,
        Subscriber(publisher.endpoint, silence_s=PATIENCE_S) as subscriber,
    ):
        assert publisher.wait_for_subscriber(PATIENCE_S)
        relay = Relay(publisher, subscriber)
        with watching(publisher.endpoint, tmp_path) as stopped:
            wait_for(lambda: bool(relay.send(1) and stopped.lines), PATIENCE_S)
            stopped.process.send_signal(signal.SIGSTOP)
            before = relay.send(2 * HIGH_WATER_MESSAGES)
            after = relay.send(2 * HIGH_WATER_MESSAGES)
            stopped.process.send_signal(signal.SIGCONT)
            stopped.await_lines(HIGH_WATER_MESSAGES)
            wait_for(lambda: bool(relay.send(1)) and "lost " in stopped.notes, PATIENCE_S)
    assert after - before < GROWTH_BYTES < 2 * HIGH_WATER_MESSAGES * len(PADDING) // 2
    assert (subscriber.lost, publisher.dropped) == (0, 0)


class Relay:
    """From a publisher to a subscriber that receives all of it."""

    def __init__(self, publisher: Publisher, subscriber: Subscriber) -> None:
        self._publisher, self._subscriber = publisher, subscriber
        self._sent = 0

    def send(self, messages: int) -> int:
        """How much memory this process takes when so many more were sent and received, a few at a time."""
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
