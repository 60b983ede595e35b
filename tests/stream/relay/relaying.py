"""A relay in a process of its own, and a publisher that tells it of a concert."""

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Queue

import msgspec

from whoplays.stream.pubsub.messages import Message
from whoplays.stream.pubsub.publisher import Publisher

JOIN_S = 30.0


class Notes:
    """The lines that a process writes on standard error."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: Queue[str] = Queue()
        self.process = process
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> str:
        """The next line."""
        return self._lines.get(timeout=JOIN_S)

    @property
    def waiting(self) -> int:
        """How many lines were not asked for yet."""
        return self._lines.qsize()

    def _read(self) -> None:
        assert self.process.stderr
        # It may be closed before its end was read.
        with suppress(ValueError):
            for line in self.process.stderr:
                # Of a publisher that is slow to say the next thing.
                if "nothing came from" not in line:
                    self._lines.put(line.rstrip("\n"))


@contextmanager
def relaying(*arguments: str, killed: bool = False) -> Iterator[Notes]:
    """`whoplays relay`; on leaving it has to end, and well, or it is killed."""
    command = [sys.executable, "-m", "whoplays", "relay", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Notes(process)
            process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
            assert process.wait(5) == (-signal.SIGKILL if killed else 0)
        finally:
            process.kill()


class Concert:
    """Publishes messages, numbered as a publisher does."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._seq = Counter[tuple[str, str]]()

    def send(self, *messages: Message) -> None:
        for message in messages:
            count = (message.session, message.kind)
            self._publisher.send(msgspec.structs.replace(message, seq=self._seq[count]))
            self._seq[count] += 1
