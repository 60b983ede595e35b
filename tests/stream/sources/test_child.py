import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.worker import ChildSource, last_line
from whoplays.stream.sources.worker_process import ExitMessage, Unpacker, pack

WORKS = "tests.stream.sources.child_works"


def child(work: str, **arguments: object) -> ChildSource:
    return ChildSource(
        f"{WORKS}:{work}", arguments, name="stage", uri="stage:", clock="arrival", disconnect_cause="device_lost"
    )


def is_alive(pid: int) -> bool:
    """Whether it runs: not gone, and no zombie that only waits to be reaped."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def hear_until_stopped(source: ChildSource) -> float:
    """Stop it after its first block, from another thread; how long the blocks went on."""
    blocks = source.blocks()
    next(blocks)
    stopper = threading.Thread(target=source.stop)
    start = time.monotonic()
    stopper.start()
    for _ in blocks:
        pass
    stopper.join()
    return time.monotonic() - start


def test_blocks_come_as_they_were_sent_and_end() -> None:
    source = child("count", blocks=30, samples=44_100)
    *heard, lost = source.blocks()
    audio = np.concatenate([block.audio for block in heard], axis=1)
    ramp = np.arange(30 * 44_100, dtype=np.float32)
    np.testing.assert_array_equal(audio, np.stack([ramp, -ramp]))
    assert (lost.lost, lost.audio.shape, lost.audio.any()) == ("overflow", (2, 44_100), np.False_)
    assert {block.lost for block in heard} == {None}
    times = [block.captured_at_ns for block in heard]
    assert times == sorted(times)
    assert times[0] < time.monotonic_ns() < times[0] + 60_000_000_000
    assert source.pid
    assert not Path(f"/proc/{source.pid}").exists()


def test_a_source_says_what_it_is() -> None:
    source = child("count")
    assert (source.name, source.uri, source.clock, source.disconnect_cause) == (
        "stage",
        "stage:",
        "arrival",
        "device_lost",
    )
    assert (source.live, source.pid) == (True, None)


def test_a_failure_is_raised_here_with_its_own_words() -> None:
    with pytest.raises(SourceError, match=r"^no such hall; büild one$"):
        list(child("fail", message="no such hall; büild one").blocks())


def test_a_session_that_is_over_can_be_followed_by_the_next() -> None:
    source = child("begin_anew")
    for _ in range(2):
        blocks = source.blocks()
        assert next(blocks).audio.shape == (2, 10)
        with pytest.raises(SessionOverError, match=r"^the sender began anew$"):
            list(blocks)


@pytest.mark.parametrize("noise", [0, 50_000])
def test_a_crash_is_told_by_the_last_words_without_secrets(noise: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError) as raised:
        list(child("crash", noise=noise).blocks())
    expected = "ended with status 1: RuntimeError: lost http://hall.example/live?token=…"
    assert str(raised.value) == f"stage is heard no more: the process that heard it {expected}"
    assert capfd.readouterr() == ("", "")


def test_a_killed_child_is_told_by_the_signal() -> None:
    source = child("kill")
    with pytest.raises(SourceError, match=r"was ended by SIGKILL$"):
        list(source.blocks())
    assert not Path(f"/proc/{source.pid}").exists()


def test_a_child_whose_last_words_were_early_is_told_of_as_well() -> None:
    with pytest.raises(SourceError, match=r"was ended by SIGKILL: good night$"):
        list(child("fall_silent").blocks())


@pytest.mark.parametrize("work", ["hang", "flood"])
def test_stopping_ends_whatever_it_is_stuck_in(work: str) -> None:
    source = child(work)
    assert hear_until_stopped(source) < 10
    assert not Path(f"/proc/{source.pid}").exists()
    assert list(source.blocks()) == []


def test_leaving_the_blocks_ends_the_child() -> None:
    source = child("flood")
    blocks = source.blocks()
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert not Path(f"/proc/{source.pid}").exists()


def test_ctrl_c_is_left_to_the_parent() -> None:
    source = child("flood")
    blocks = source.blocks()
    next(blocks)
    assert source.pid
    os.kill(source.pid, signal.SIGINT)
    assert all(isinstance(next(blocks), Block) for _ in range(20))
    source.stop()
    list(blocks)


@pytest.mark.parametrize("work", ["hang", "flood"])
def test_a_child_leaves_when_its_parent_is_killed(work: str) -> None:
    code = (
        f"from tests.stream.sources.test_child import child; source = child('{work}'); "
        "blocks = source.blocks(); next(blocks); "
        "print(source.pid, flush=True); input()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    assert wait_until(lambda: not is_alive(pid))


def test_secrets_do_not_show_on_the_command_line() -> None:
    source = child("flood")
    blocks = source.blocks()
    next(blocks)
    assert "child_works" not in Path(f"/proc/{source.pid}/cmdline").read_text()
    source.stop()
    list(blocks)


def test_the_last_line_is_the_last_with_words() -> None:
    assert last_line(b"first\nsecond \n\n") == "second"
    assert last_line(b"") == ""
    assert last_line(b"\xff bad 'rtsp://u:p@h/x'") == "\ufffd bad 'rtsp://h/x'"


frames = st.one_of(
    st.builds(
        lambda n, heard, lost: Block(np.full((2, n), 0 if lost else 0.5, np.float32), heard, lost),
        st.integers(0, 50),
        st.integers(0, 2**62),
        st.sampled_from([None, "overflow", "network", "device_lost", "overload"]),
    ),
    st.builds(ExitMessage, st.sampled_from(["ended", "failed", "session_over"]), st.text(max_size=20)),
)


@settings(max_examples=100, deadline=None)
@given(sent=st.lists(frames, max_size=5), piece=st.integers(1, 100))
def test_frames_come_through_in_pieces_of_any_size(sent: list[Block | ExitMessage], piece: int) -> None:
    data = b"".join(map(pack, sent))
    unpacker = Unpacker()
    came = [frame for at in range(0, len(data), piece) for frame in unpacker.feed(data[at : at + piece])]
    assert [_plain(frame) for frame in came] == [_plain(frame) for frame in sent]


def _plain(frame: Block | ExitMessage) -> object:
    return frame if isinstance(frame, ExitMessage) else (frame.audio.tolist(), *frame[1:])
