"""What is done to broadcasts, to remote senders, and to other subscribers."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.stream.daemon.feeding import Feed
from tests.stream.faults.acts import Script, until, wait
from tests.stream.faults.broadcast import Broadcast
from tests.stream.faults.seen import Seen, is_state
from tests.stream.faults.times import Times, measure
from tests.stream.sources.ffmpeg.servers import free_port
from whoplays.stream.pubsub.messages import Gap, Window


@contextmanager
def whoplays(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a process of its own, which is killed at the end."""
    command = [sys.executable, "-m", "whoplays", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


class Box:
    """A machine that sends a recording with `whoplays send`."""

    def __init__(self, recording: Path) -> None:
        self._port = free_port()
        self.uri = f"zmq://127.0.0.1:{self._port}"
        self._recording = recording
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Begin to send."""
        words = ("send", str(self._recording), f"tcp://127.0.0.1:{self._port}")
        command = [sys.executable, "-m", "whoplays", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process:
            self._process.kill()
            self._process.wait()


def drop(seen: Seen, broadcast: Broadcast) -> Script:
    yield from until(seen.windows(1), seen)
    dropped_ns = time.time_ns()
    broadcast.spoil("drop")
    yield from until(seen.windows(1, 1), seen)
    assert seen.states == ["listening", "lost", "listening"]
    assert seen.details[0].endswith("broke off: the server closed the connection")
    assert seen.causes == {"network"}
    return measure(seen, dropped_ns, dropped_ns, is_state("lost"), session=1)


def stall(seen: Seen, broadcast: Broadcast) -> Script:
    yield from until(seen.windows(1), seen)
    stalled_ns = time.time_ns()
    broadcast.spoil("stall")
    yield from until(seen.windows(1, 1), seen)
    assert seen.states == ["listening", "stalled", "lost", "listening"]
    assert seen.details[0].startswith("no audio came for 1")
    assert seen.causes == {"network"}
    return measure(seen, stalled_ns, stalled_ns, is_state("stalled"), session=1)


def kill_sender(seen: Seen, box: Box) -> Script:
    yield from until(seen.windows(1), seen)
    killed_ns = time.time_ns()
    box.kill()
    yield from until(seen.told("stalled"), seen)
    started_ns = time.time_ns()
    box.start()
    yield from until(seen.windows(1, 1), seen)
    assert seen.states[:2] == ["listening", "stalled"]
    assert seen.states[-1] == "listening"
    assert seen.causes == {"network"}
    return measure(seen, killed_ns, started_ns, is_state("stalled"), session=1)


def lose_subscribers(endpoint: str, seen: Seen, feed: Feed) -> Script:
    with whoplays("watch", endpoint, "--json") as killed, whoplays("watch", endpoint, "--json") as stopped:
        yield from until(seen.windows(1), seen)
        yield from wait(3.0)
        killed.kill()
        stopped.send_signal(signal.SIGSTOP)
        told = len(seen.of(Window))
        yield from until(seen.windows(told + 3), seen)
        assert stopped.poll() is None
    assert seen.states == ["listening"]
    assert not seen.of(Gap)
    assert not [notice for notice in seen.notices if notice.what == "lost"]
    return Times()
