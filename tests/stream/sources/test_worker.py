import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.worker import ChildSource, ExitMessage, call_in_child, last_line, pack, unpack

FUNCTIONS = "tests.stream.sources.worker_functions"


def child(function: str, **arguments: object) -> ChildSource:
    return ChildSource(
        f"{FUNCTIONS}:{function}",
        arguments,
        name="stage",
        uri="stage:",
        clock="arrival",
        disconnect_cause="device_lost",
    )


@contextmanager
def running(function: str) -> Iterator[tuple[ChildSource, Iterator[Block], int]]:
    """A source that has sent its first block, its other blocks, and the id of its child, which has to be gone then."""
    source = child(function)
    blocks = source.blocks()
    next(blocks)
    assert source.pid
    yield source, blocks, source.pid
    assert not Path(f"/proc/{source.pid}").exists()


def is_running(pid: int) -> bool:
    """Whether a process has neither gone nor waits to be reaped."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_blocks_arrive_as_they_were_sent_and_end() -> None:
    source = child("count", blocks=30, samples=44_100)
    assert (source.name, source.uri, source.clock, source.disconnect_cause, source.live, source.pid) == (
        *("stage", "stage:", "arrival", "device_lost"),
        *(True, None),
    )
    *received, lost = source.blocks()
    audio = np.concatenate([block.audio for block in received], axis=1)
    ramp = np.arange(30 * 44_100, dtype=np.float32)
    np.testing.assert_array_equal(audio, np.stack([ramp, -ramp]))
    assert (lost.lost, lost.audio.shape, lost.audio.any()) == ("overflow", (2, 44_100), np.False_)
    assert {block.lost for block in received} == {None}
    times = [block.captured_at_ns for block in received]
    assert times == sorted(times)
    assert times[0] < time.monotonic_ns() < times[0] + 60_000_000_000
    assert not Path(f"/proc/{source.pid}").exists()


def test_an_error_of_the_child_is_raised_here() -> None:
    with pytest.raises(SourceError, match=r"^no such hall; büild one$"):
        list(child("fail", message="no such hall; büild one").blocks())


def test_a_session_that_is_over_can_be_followed_by_the_next() -> None:
    source = child("end_session")
    for _ in range(2):
        blocks = source.blocks()
        assert next(blocks).audio.shape == (2, 10)
        with pytest.raises(SessionOverError, match=r"^the sender began anew$"):
            list(blocks)


@pytest.mark.parametrize("noise", [0, 50_000])
def test_a_crash_is_described_by_the_last_line_without_secrets(noise: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError) as raised:
        list(child("crash", noise=noise).blocks())
    expected = "ended with status 1: RuntimeError: lost http://hall.example/live?token=…"
    assert str(raised.value) == f"stage was lost: its process {expected}"
    assert capfd.readouterr() == ("", "")


def test_a_child_that_takes_too_much_memory_is_lost_and_nothing_else() -> None:
    with pytest.raises(SourceError, match="MemoryError"):
        list(child("take_memory").blocks())


@pytest.mark.parametrize(("function", "line"), [("kill", ""), ("close_stderr", ": last words")])
def test_a_killed_child_is_described_by_the_signal_and_its_last_line(function: str, line: str) -> None:
    with (
        pytest.raises(SourceError, match=f"^stage was lost: its process was ended by SIGKILL{line}$"),
        running(function) as (_, blocks, _),
    ):
        list(blocks)


@pytest.mark.parametrize("function", ["hang", "flood"])
def test_stopping_ends_whatever_it_is_stuck_in(function: str) -> None:
    with running(function) as (source, blocks, _):
        stopper = threading.Thread(target=source.stop)
        start = time.monotonic()
        stopper.start()
        list(blocks)
        assert time.monotonic() - start < 10
        stopper.join()
    assert list(source.blocks()) == []


def test_stopping_ends_a_child_that_is_suspended_within_a_block() -> None:
    with running("flood") as (source, blocks, pid):
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.2, source.stop).start()
        list(blocks)


def test_leaving_the_blocks_ends_the_child() -> None:
    with running("flood") as (_, blocks, _):
        blocks.close()  # type: ignore[attr-defined]


def test_ctrl_c_is_left_to_the_parent() -> None:
    with running("flood") as (source, blocks, pid):
        os.kill(pid, signal.SIGINT)
        assert all(isinstance(next(blocks), Block) for _ in range(20))
        source.stop()
        list(blocks)


@pytest.mark.parametrize("function", ["hang", "flood"])
def test_a_child_exits_when_its_parent_is_killed(function: str) -> None:
    code = (
        f"from tests.stream.sources.test_worker import child; source = child('{function}'); "
        "blocks = source.blocks(); next(blocks); "
        "print(source.pid, flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def test_secrets_do_not_show_on_the_command_line() -> None:
    with running("flood") as (_, blocks, pid):
        assert "worker_functions" not in Path(f"/proc/{pid}/cmdline").read_text()
        blocks.close()  # type: ignore[attr-defined]


def test_a_call_returns_what_the_function_returns() -> None:
    arguments = {"one": 1.5, "other": 2}
    assert call_in_child(f"{FUNCTIONS}:add", arguments, name="it", timeout_s=20) == {"sum": 3.5}


@pytest.mark.parametrize(
    ("function", "arguments", "timeout_s", "message"),
    [
        ("fail", {"message": "no such hall"}, 20, "^no such hall$"),
        ("kill", {}, 20, "^the hall did not answer: the process that asked was ended by SIGKILL$"),
        ("hang", {}, 0.2, "^the hall did not answer within 0 s; restart it$"),
    ],
)
def test_a_call_that_fails_is_an_error(
    function: str, arguments: dict[str, object], timeout_s: float, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        call_in_child(f"{FUNCTIONS}:{function}", arguments, name="the hall", timeout_s=timeout_s)


def test_the_last_line_is_the_last_that_is_not_blank() -> None:
    assert last_line(b"first\nsecond \n\n") == "second"
    assert last_line(b"") == ""
    assert last_line(b"\xff bad 'rtsp://u:p@h/x'") == "\ufffd bad 'rtsp://h/x'"


@settings(max_examples=50)
@given(
    st.integers(0, 50), st.integers(0, 2**62), st.sampled_from([None, "overflow", "network", "device_lost", "overload"])
)
def test_a_block_is_unpacked_as_it_was_packed(samples: int, captured_at_ns: int, lost: GapCause | None) -> None:
    audio = np.full((2, samples), 0 if lost else 0.5, np.float32)
    block = unpack(pack(Block(audio, captured_at_ns, lost)))
    assert isinstance(block, Block)
    np.testing.assert_array_equal(block.audio, audio)
    assert block[1:] == (captured_at_ns, lost)


@pytest.mark.parametrize("message", [ExitMessage("ended", result=[1, "a"]), ExitMessage("failed", "bü")])
def test_an_exit_message_is_unpacked_as_it_was_packed(message: ExitMessage) -> None:
    assert unpack(pack(message)) == message
