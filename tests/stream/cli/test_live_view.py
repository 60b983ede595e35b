"""The live view, on a terminal of its own."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.stream.history.make_history import make_status, make_window
from whoplays.stream.cli.live_view import REFRESH_S, LiveView
from whoplays.stream.pubsub.messages import Event, Message, Notice
from whoplays.stream.pubsub.publisher import Publisher

ROWS, COLUMNS = 24, 80
LABELS = tuple(f"label {number}" for number in range(11))
STREAMS = [f"stream{number}" for number in range(8)]


class Terminal:
    """A terminal with nobody before it: what was written on it, and what it shows."""

    def __init__(self) -> None:
        self.fd, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.written = ""

    def read(self, for_s: float) -> str:
        """What is written within a time."""
        text, until_s = b"", time.monotonic() + for_s
        while (left_s := until_s - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left_s)[0]:
                text += os.read(self.fd, 1 << 16)
        self.written += text.decode()
        return text.decode()

    @property
    def shown(self) -> list[str]:
        """The rows of the screen, of what was written with a position."""
        rows = [""] * ROWS
        for row, text in re.findall(r"\x1b\[(\d+);1H(.*?)\x1b\[K", self.written):
            rows[int(row) - 1] = re.sub(r"\x1b\[[\d;]*m", "", text)
        return rows


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    os.close(terminal.fd)
    os.close(terminal.slave)


@contextmanager
def view_on(terminal: Terminal) -> Iterator[LiveView]:
    with os.fdopen(os.dup(terminal.slave), "w") as out, LiveView(out) as view:
        yield view


def messages(second: int) -> Iterator[Message]:
    for name in STREAMS:
        status = msgspec.structs.replace(make_status(second, stream=name), labels=LABELS, state="listening", seq=second)
        yield status
        window = make_window(second, stream=name)
        probabilities = {label: (second + number) % 10 / 10 for number, label in enumerate(LABELS)}
        yield msgspec.structs.replace(window, probabilities=probabilities, active=dict.fromkeys(LABELS, False))


def test_eight_streams_fit_a_small_terminal_and_nothing_scrolls(terminal: Terminal) -> None:
    with view_on(terminal) as view:
        for item in messages(0):
            view.show(item)
        head = make_window(0, stream="stream3")
        view.show(
            Event(
                stream="stream3",
                session="one",
                seq=0,
                published_ns=1,
                id=0,
                label=LABELS[2],
                phase="start",
                at=0,
                peak=0.5,
            )
        )
        view.show(Notice(what="lost", text="lost \x1b[2J" + " and more" * 9, stream=head.stream, count=1))
        terminal.read(4 * REFRESH_S)
        assert terminal.written.startswith("\x1b[?1049h")
        assert "\n" not in terminal.written
        assert [row.split()[0].lstrip(">") for row in terminal.shown[:8]] == STREAMS
        assert terminal.shown[3].endswith("label 2")
        details = terminal.shown[8:21]
        assert [label for label in LABELS if any(label in row for row in details)] == list(LABELS)
        assert any(r"! lost \x1b[2J" in row for row in terminal.shown)
        assert sum(row.count("more") for row in terminal.shown) == 9
        assert all(len(row) <= COLUMNS for row in terminal.shown)
    assert "\x1b[?1049l" in terminal.read(0.1)


def test_only_what_changed_is_redrawn_four_times_a_second_at_most(terminal: Terminal) -> None:
    with view_on(terminal) as view:
        for item in messages(0):
            view.show(item)
        terminal.read(2 * REFRESH_S)
        for item in messages(0):
            view.show(item)
        assert terminal.read(2 * REFRESH_S) == ""
        began_s = time.monotonic()
        for second in range(40):
            for item in messages(second):
                view.show(item)
            time.sleep(0.02)
        terminal.read(2 * REFRESH_S)
        draws = terminal.written.count("\x1b[1;1H")
        assert draws <= (time.monotonic() - began_s) / REFRESH_S + 2


def watching(endpoint: str, terminal: Terminal) -> "subprocess.Popen[bytes]":
    command = ["setsid", "--ctty", sys.executable, "-m", "whoplays", "watch", endpoint]
    slave = terminal.slave
    environment = {name: text for name, text in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    terminals = {"stdin": slave, "stdout": slave, "stderr": slave}
    return subprocess.Popen(command, env=environment | {"TERM": "xterm"}, **terminals)  # type: ignore[call-overload,no-any-return]


@pytest.mark.slow
def test_watching_eight_streams_takes_little_time_and_a_key_chooses_one(terminal: Terminal) -> None:
    before = termios.tcgetattr(terminal.slave)
    with Publisher("tcp://127.0.0.1:*") as publisher, watching(publisher.endpoint, terminal) as process:
        try:
            assert publisher.wait_for_subscriber(60)
            used_s = []
            for second in range(7):
                for item in messages(second):
                    publisher.send(item)
                terminal.read(1.0)
                used_s.append(cpu_s(process.pid))
            assert used_s[-1] - used_s[1] <= 5 * 0.02
            assert terminal.shown[0].startswith(">")
            os.write(terminal.fd, b"\x1b[B")
            terminal.read(4 * REFRESH_S)
            assert terminal.shown[1].startswith(">")
            process.send_signal(signal.SIGTERM)
            terminal.read(1.0)
            assert process.wait(10) == 0
            assert termios.tcgetattr(terminal.slave) == before
        finally:
            process.kill()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_a_paused_terminal_does_not_keep_it_from_ending(terminal: Terminal) -> None:
    with Publisher("tcp://127.0.0.1:*") as publisher, watching(publisher.endpoint, terminal) as process:
        try:
            assert publisher.wait_for_subscriber(60)
            termios.tcflow(terminal.slave, termios.TCOOFF)
            for second in range(4):
                for item in messages(second):
                    publisher.send(item)
                time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
