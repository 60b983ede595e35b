"""Every verb ends within five seconds of SIGTERM and SIGINT, whatever state it is in."""

import array
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
import soundfile
import zmq

from tests.stream.tiny_model import write_tiny_model
from whoplays.command import VERBS

pytestmark = pytest.mark.slow

END_S: Final = 5.0
PATIENCE_S: Final = 30.0
PAGE_BYTES: Final = 8192
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
Process = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a minute of noise."""
    folder = tmp_path_factory.mktemp("verbs")
    write_tiny_model(folder / "model")
    noise = np.random.default_rng(0).normal(0, 0.1, (60 * 44_100, 2)).astype(np.float32)
    soundfile.write(folder / "minute.wav", noise, 44_100)
    return folder


@contextlib.contextmanager
def running(folder: Path, arguments: str) -> Iterator[Process]:
    """`whoplays` with these arguments, in the folder; nobody reads what it prints unless the test does."""
    command = [sys.executable, "-m", "whoplays", *arguments.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            # With all of its children.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_line(process: Process, word: str) -> None:
    """Wait until a line with this word came by standard output or standard error."""
    assert process.stdout
    assert process.stderr
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        for stream in select.select([process.stdout, process.stderr], [], [], 1.0)[0]:
            line = stream.readline()
            if word.encode() in line:
                return
            assert line or process.poll() is None, "it has ended"
    pytest.fail(f"{word} was not printed")


def end(process: Process, number: signal.Signals) -> bytes:
    """Send a signal; it must end in time, and without a traceback. What it printed since on standard error."""
    process.send_signal(number)
    began_s = time.monotonic()
    process.wait(PATIENCE_S)
    assert time.monotonic() - began_s < END_S
    assert process.stderr
    errors = process.stderr.read()
    assert b"Traceback" not in errors, errors.decode()
    return errors


def endpoint_of(process: Process) -> str:
    """Where it publishes."""
    assert process.stderr
    return process.stderr.readline().split()[-1].decode()


def waiting_bytes(descriptor: int) -> int:
    """What was printed and not read."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def full_pipe(process: Process) -> None:
    """Wait until nobody has read what it prints for so long that it waits."""
    assert process.stdout
    wait_for_line(process, "window")
    descriptor = process.stdout.fileno()
    deadline_s = time.monotonic() + PATIENCE_S
    while waiting_bytes(descriptor) + PAGE_BYTES < fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


class State(NamedTuple):
    """A verb and what it is doing."""

    name: str
    arguments: str
    ready: Callable[[Process], object]
    """Waits until it does it."""


LISTEN: Final = "--model model --provider cpu --json"
QUIET: Final = f"{LISTEN} --no-publish"
STATES: Final = [
    State("listen to a file", f"listen minute.wav {QUIET}", lambda p: wait_for_line(p, "window")),
    State("listen with many windows waiting", f"listen minute.wav {QUIET} --speed max --hop 0.0005", full_pipe),
    State("listen to a pipe", f"listen - {QUIET}", lambda p: wait_for_line(p, "status")),
    State("listen to RTP", f"listen rtp://127.0.0.1:0 {QUIET}", lambda p: wait_for_line(p, "status")),
    State("listen to senders", f"listen zmq://127.0.0.1:0 {QUIET}", lambda p: wait_for_line(p, "status")),
    State(
        "listen for a subscriber",
        f"listen minute.wav {LISTEN} --publish tcp://127.0.0.1:* --wait 60",
        lambda p: wait_for_line(p, "publishing on"),
    ),
    State("watch nobody", "watch tcp://127.0.0.1:9 --json", lambda p: wait_for_line(p, "nothing came")),
    State(
        "send to nobody",
        "send minute.wav tcp://127.0.0.1:9",
        lambda p: wait_for_line(p, "waiting for"),
    ),
    State("send a pipe to nobody", "send - tcp://127.0.0.1:9", lambda p: wait_for_line(p, "waiting for")),
    State("demo", "demo --model model", lambda p: wait_for_line(p, "recognised by")),
    State("bench", "bench latency --model model", lambda _: time.sleep(3.0)),
]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_every_state_ends_in_time(folder: Path, state: State, number: signal.Signals) -> None:
    with running(folder, state.arguments) as process:
        state.ready(process)
        end(process, number)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_ends_in_time_while_it_starts(folder: Path, verb: str, number: signal.Signals) -> None:
    with running(folder, f"{verb} nothing nothing") as process:
        time.sleep(0.4)
        process.send_signal(number)
        process.wait(END_S)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_listen_ends_while_a_server_says_nothing(folder: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with running(folder, f"listen http://127.0.0.1:{port}/live {QUIET}") as process:
            server.settimeout(PATIENCE_S)
            connection, _ = server.accept()
            with connection:
                end(process, number)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_listen_ends_while_a_subscriber_reads_nothing(folder: Path, number: signal.Signals) -> None:
    arguments = f"listen minute.wav {LISTEN} --publish tcp://127.0.0.1:* --wait 60 --speed max --hop 0.0005"
    with running(folder, arguments) as process, zmq.Context() as context, context.socket(zmq.SUB) as slow:
        slow.setsockopt(zmq.LINGER, 0)
        slow.setsockopt(zmq.RCVHWM, 1)
        slow.setsockopt(zmq.RCVBUF, 4096)
        slow.setsockopt(zmq.SUBSCRIBE, b"")
        slow.connect(endpoint_of(process))
        full_pipe(process)
        end(process, number)


@pytest.mark.parametrize("paused", [True, False], ids=["paused", "gone"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_send_ends_when_the_listener_has_left(folder: Path, number: signal.Signals, paused: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        running(folder, f"listen zmq://127.0.0.1:{port} {QUIET}") as listener,
        running(folder, f"send minute.wav tcp://127.0.0.1:{port}") as sender,
    ):
        wait_for_line(sender, "connected to")
        wait_for_line(listener, "window")
        os.killpg(listener.pid, signal.SIGSTOP if paused else signal.SIGKILL)
        wait_for_line(sender, "waiting for")
        time.sleep(1.0)
        assert b"ended" in end(sender, number).splitlines()[-1]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_watch_ends_while_nobody_reads_it(folder: Path, number: signal.Signals) -> None:
    arguments = f"listen minute.wav {LISTEN} --publish tcp://127.0.0.1:* --wait 60 --speed max --hop 0.0005"
    with (
        running(folder, arguments) as publisher,
        running(folder, f"watch {endpoint_of(publisher)} --json") as watch,
    ):
        full_pipe(watch)
        end(watch, number)


def test_two_interruptions_at_once_leave_an_end(folder: Path) -> None:
    with running(folder, f"listen minute.wav {LISTEN} --publish tcp://127.0.0.1:*") as process:
        wait_for_line(process, "window")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert json.loads(output.splitlines()[-1])["kind"] == "end"
    assert process.returncode == 0, errors.decode()


SERVE: Final = """
publish = "tcp://127.0.0.1:*"
[history]
path = "history.db"
[metrics]
address = "127.0.0.1:0"
"""
STREAM: Final = """
[[stream]]
name = "{name}"
source = "{source}"
model = "model"
provider = "cpu"
hop_s = {hop_s}
"""


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_serve_ends_under_overload(folder: Path, number: signal.Signals) -> None:
    streams = [STREAM.format(name=f"s{k}", source="minute.wav", hop_s=0.001) for k in range(8)]
    lost = [STREAM.format(name="rtp", source="rtp://127.0.0.1:0", hop_s=3.0)]
    (folder / "serve.toml").write_text(SERVE + "".join(streams + lost))
    with running(folder, "serve serve.toml --json") as daemon:
        wait_for_line(daemon, "listening")
        time.sleep(3.0)
        errors = end(daemon, number)
    assert errors.count(b'"event": "ended"') == 9
