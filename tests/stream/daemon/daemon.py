"""A daemon under test: its process, its configuration, and what a subscriber of it receives."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whoplays.stream.pubsub.messages import Message, Notice, Window
from whoplays.stream.pubsub.subscriber import Subscriber

PATIENCE_S = 60.0


class DaemonProcess:
    """A daemon, and the lines of its log."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def logged(self, event: str) -> dict[str, Any]:
        """The next line about that."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            assert line.startswith("{"), line + self.process.stderr.read()
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"not logged: {event!r}: {self.lines}")

    def end(self) -> int:
        """Send SIGTERM, and read the log to its end."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Read the log to its end; the exit code."""
        _, rest = self.process.communicate(timeout=PATIENCE_S)
        self.lines += [json.loads(line) for line in rest.splitlines()]
        return self.process.returncode


@contextmanager
def serving(config: Path) -> Iterator[DaemonProcess]:
    command = [sys.executable, "-m", "whoplays", "serve", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield DaemonProcess(process)
        finally:
            process.kill()


def write(path: Path, model: Path, streams: str, *, extra: str = "", endpoint: str = "tcp://127.0.0.1:*") -> Path:
    path.write_text(f'publish = "{endpoint}"\n{extra}\n{streams.replace("MODEL", str(model))}', encoding="utf-8")
    return path


def stream(name: str, source: str, *more: str) -> str:
    lines = (f'name = "{name}"', f'source = "{source}"', 'model = "MODEL"', 'provider = "cpu"', *more)
    return "\n".join(("[[stream]]", *lines, ""))


def receive(subscriber: Subscriber, enough: Callable[[list[Message]], bool]) -> list[Message]:
    messages: list[Message] = []
    deadline_s = time.monotonic() + PATIENCE_S
    for item in subscriber:
        if not isinstance(item, Notice):
            messages.append(item)
        if enough(messages):
            return messages
        assert time.monotonic() < deadline_s, messages[-3:]
    return messages


def windows_of(messages: list[Message], name: str) -> list[Window]:
    return [message for message in messages if isinstance(message, Window) and message.stream == name]
