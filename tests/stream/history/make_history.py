"""A concert's messages to keep."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from tests.stream import make_messages
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.history.schema import open_to_read
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.pubsub.messages import End, Event, Head, Message, Quality, State, Status, Timing, Window

SECOND_NS = 1_000_000_000
STARTED_NS = 1_767_225_600 * SECOND_NS
"""2026-01-01T00:00:00Z"""


def make_status(
    windows: int = 0,
    *,
    stream: str = "hall",
    session: str = "one",
    state: State = "listening",
    drift_ppm: float | None = None,
    lost_samples: int = 0,
    dropped_windows: int = 0,
) -> Status:
    """The status of a session after some windows."""
    samples = windows * WINDOW_SAMPLES
    status = make_messages.make_status(windows, session=session, stream=stream)
    counters = msgspec.structs.replace(
        status.counters,
        elapsed_samples=samples,
        heard_samples=samples - lost_samples,
        lost_samples=lost_samples,
        windows=windows,
        dropped_windows=dropped_windows,
    )
    return msgspec.structs.replace(
        status,
        published_ns=STARTED_NS + samples * SECOND_NS // SAMPLE_RATE_HZ,
        state=state,
        counters=counters,
        lag_ns=30_000_000,
        drift_ppm=drift_ppm,
    )


def make_window(number: int, *, stream: str = "hall", session: str = "one", started_at_ns: int = STARTED_NS) -> Window:
    """The window of a session that ends after `number + 1` windows of three seconds."""
    end = (number + 1) * WINDOW_SAMPLES
    return Window(
        stream=stream,
        session=session,
        seq=number,
        published_ns=started_at_ns + end * SECOND_NS // SAMPLE_RATE_HZ,
        start=end - WINDOW_SAMPLES,
        end=end,
        closed_ns=started_at_ns + end * SECOND_NS // SAMPLE_RATE_HZ,
        clock="arrival",
        probabilities={"piano": 0.9, "violin": 0.1},
        active={"piano": True, "violin": False},
        quality=Quality(dbfs=-20.5, clipped=0, silent=False, lost_samples=0),
        timing=Timing(ready_ns=1, infer_start_ns=2_000_000, infer_end_ns=30_000_000, batch=1, queue=0),
    )


def make_event(
    number: int,
    phase: Literal["start", "end"],
    second: int,
    label: str = "piano",
    *,
    peak: float = 0.9,
    stream: str = "hall",
    session: str = "one",
) -> Event:
    head = Head(stream=stream, session=session, seq=0, published_ns=STARTED_NS)
    return Event(**head, id=number, label=label, phase=phase, at=second * SAMPLE_RATE_HZ, peak=peak)


def make_end(second: int, *, stream: str = "hall", session: str = "one") -> End:
    end = make_messages.make_end(0, stream=stream, session=session)
    published_ns = STARTED_NS + second * SECOND_NS
    return msgspec.structs.replace(end, published_ns=published_ns, final=second * SAMPLE_RATE_HZ)


def make_concert() -> list[Message]:
    """12 s: the piano plays from 0 to 6 s, the violin from 3 s to the end; a gap from 6 to 7 s."""
    gap = msgspec.structs.replace(
        make_messages.make_gap(0), start=6 * SAMPLE_RATE_HZ, end=7 * SAMPLE_RATE_HZ, cause="network"
    )
    return [
        make_status(),
        make_window(0),
        make_event(0, "start", 0),
        make_window(1),
        make_event(1, "start", 3, "violin", peak=0.7),
        gap,
        make_window(2),
        make_event(0, "end", 6, peak=0.95),
        make_window(3),
        make_event(1, "end", 12, "violin", peak=0.8),
        make_end(12),
    ]


def record(path: Path, messages: list[Message], *, keep_windows: bool = True) -> None:
    """Write messages into a history."""
    with HistoryWorker(path, keep_windows=keep_windows) as worker:
        for message in messages:
            worker.handle(message)


def count(path: Path, table: str = "windows") -> int:
    """The rows of a table."""
    with closing(open_to_read(path)) as connection:
        found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def failures_of(worker: HistoryWorker) -> list[str]:
    """What fails from now on, each time; the worker itself reports it once."""
    failures: list[str] = []
    attempt = worker._attempt

    def attempt_and_note(verb: str, action: Callable[[], None]) -> bool:
        succeeded = attempt(verb, action)
        if not succeeded:
            failures.append(verb)
        return succeeded

    worker._attempt = attempt_and_note  # type: ignore[method-assign]
    return failures


def wait_for(what: Callable[[], bool], deadline_s: float = 20) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.02)
