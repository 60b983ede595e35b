"""What is done to the daemon: its child processes, its disk, its time, its life."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.stream.daemon.daemon import DaemonProcess, serving
from tests.stream.daemon.feeding import Feed
from tests.stream.faults.acts import Script, until, wait
from tests.stream.faults.broadcast import Broadcast
from tests.stream.faults.seen import Seen, is_state
from tests.stream.faults.times import Times, measure
from whoplays.stream.pubsub.messages import Gap, Window

MAX_LAG_S = 2.0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def kill_child(daemon: DaemonProcess, seen: Seen, broadcast: Broadcast) -> Script:
    yield from until(seen.windows(1), seen)
    (child,) = children(daemon.process.pid)
    killed_ns = time.time_ns()
    os.kill(child, signal.SIGKILL)
    yield from until(seen.windows(1, 1), seen)
    assert seen.states == ["listening", "lost", "listening"]
    assert "was lost: its process was ended by SIGKILL" in seen.details[0]
    assert seen.causes == {"network"}
    return measure(seen, killed_ns, killed_ns, is_state("lost"), session=1)


def stand_still(daemon: DaemonProcess, seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(1), seen)
    told = len(seen.of(Window))
    stopped_ns = time.time_ns()
    daemon.process.send_signal(signal.SIGSTOP)
    yield from until(lambda: any(notice.text.endswith("running there?") for notice in seen.notices), seen)
    noticed_ns = time.time_ns()
    daemon.process.send_signal(signal.SIGCONT)
    yield from until(seen.windows(told + 3), seen)
    assert len(seen.sessions) == 1
    # What the system kept for it came late; what it did not keep is a gap.
    assert seen.causes <= {"network"}
    back = measure(seen, stopped_ns, noticed_ns, lambda _: True).back_s
    return Times((noticed_ns - stopped_ns) / 1e9, back)


def lock_history(database: Path, seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(4), seen)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = len(seen.of(Window))
        yield from wait(4.0)
        assert len(seen.of(Window)) > told + 8
        other.execute("ROLLBACK")
    yield from wait(3.0)
    assert seen.states == ["listening"]
    assert not seen.of(Gap)
    return Times()


def overload(seen: Seen, feed: Feed) -> Script:
    yield from until(lambda: bool(seen.of(Gap)), seen)
    (gap,) = seen.of(Gap)
    yield from until(lambda: any(window.start >= gap.end and is_prompt(window) for window in seen.of(Window)), seen)
    assert seen.causes == {"overload"}
    assert len(seen.sessions) == 1
    assert all(window.timing.infer_start_ns < (MAX_LAG_S + 1) * 1e9 for window in seen.of(Window))
    back = next(window for window in seen.of(Window) if window.start >= gap.end)
    return Times(
        (gap.published_ns - seen.captured_at_ns(gap.end, 0)) / 1e9, (back.published_ns - gap.published_ns) / 1e9
    )


def is_prompt(window: Window) -> bool:
    return window.timing.infer_end_ns < 0.5e9


def kill_daemon(daemon: DaemonProcess, config: Path, seen: Seen, feed: Feed) -> Script:
    yield from until(seen.windows(12), seen)
    daemon.process.kill()
    killed_ns, told = time.time_ns(), len(seen.notices)
    yield from until(lambda: len(seen.notices) > told, seen)
    noticed_ns = time.time_ns()
    with serving(config):
        yield from until(seen.windows(1, 1), seen)
        yield from wait(1.0)
    # After it, that the beginning of the new session was missed, if the subscriber was not back in time.
    assert "nothing came from" in seen.notices[told].text
    back = measure(seen, killed_ns, noticed_ns, lambda _: True, session=1).back_s
    return Times((noticed_ns - killed_ns) / 1e9, back)
