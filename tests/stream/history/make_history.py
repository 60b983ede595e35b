"""A concert's messages to keep."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.history.worker import HistoryWorker
from whoplays.stream.pubsub.messages import (
    Counters,
    End,
    Event,
    Gap,
    Message,
    ModelInfo,
    Quality,
    SourceInfo,
    State,
    Status,
    Timing,
    Window,
)

SECOND_NS = 1_000_000_000
BEGAN_NS = 1_767_225_600 * SECOND_NS
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
    return Status(
        stream=stream,
        session=session,
        seq=windows,
        published_ns=BEGAN_NS + samples * SECOND_NS // SAMPLE_RATE_HZ,
        source=SourceInfo(name="concert.wav", uri="file:///concert.wav"),
        state=state,
        sample_rate_hz=SAMPLE_RATE_HZ,
        window_samples=WINDOW_SAMPLES,
        hop_samples=WINDOW_SAMPLES,
        model=ModelInfo(name="tiny", version="0.1", sha256="0123456789ab"),
        labels=("piano", "violin"),
        thresholds=(0.5, 0.5),
        provider="cpu",
        counters=Counters(
            elapsed_samples=samples,
            heard_samples=samples - lost_samples,
            lost_samples=lost_samples,
            windows=windows,
            gaps=0,
            dropped_windows=dropped_windows,
            dropped_messages=0,
        ),
        lag_ns=30_000_000,
        drift_ppm=drift_ppm,
        last_seq={},
    )


def make_window(number: int, *, stream: str = "hall", session: str = "one", started_at_ns: int = BEGAN_NS) -> Window:
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
    return Event(
        stream=stream,
        session=session,
        seq=0,
        published_ns=BEGAN_NS,
        id=number,
        label=label,
        phase=phase,
        at=second * SAMPLE_RATE_HZ,
        peak=peak,
    )


def make_end(second: int, *, stream: str = "hall", session: str = "one") -> End:
    return End(
        stream=stream,
        session=session,
        seq=0,
        published_ns=BEGAN_NS + second * SECOND_NS,
        reason="finished",
        detail="",
        final=second * SAMPLE_RATE_HZ,
    )


def make_concert() -> list[Message]:
    """12 s: the piano plays from 0 to 6 s, the violin from 3 s to the end; a gap from 6 to 7 s."""
    gap = Gap(
        stream="hall",
        session="one",
        seq=0,
        published_ns=BEGAN_NS,
        start=6 * SAMPLE_RATE_HZ,
        end=7 * SAMPLE_RATE_HZ,
        cause="network",
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


@contextmanager
def keeping(
    path: Path, *, keep_windows: bool = True, max_age_days: float | None = None, max_bytes: int | None = None
) -> Iterator[HistoryWorker]:
    """A keeper without limits, unless some are given."""
    with HistoryWorker(path, keep_windows=keep_windows, max_age_days=max_age_days, max_bytes=max_bytes) as keeper:
        yield keeper


def keep_all(path: Path, messages: list[Message], *, keep_windows: bool = True) -> None:
    with keeping(path, keep_windows=keep_windows) as keeper:
        for message in messages:
            keeper.keep(message)


def failures_of(keeper: HistoryWorker) -> list[str]:
    """What fails from now on, each time; the keeper itself tells of it once."""
    failures: list[str] = []
    attempt = keeper._attempt

    def attempt_and_note(what: str, action: Callable[[], None]) -> bool:
        succeeded = attempt(what, action)
        if not succeeded:
            failures.append(what)
        return succeeded

    keeper._attempt = attempt_and_note  # type: ignore[method-assign]
    return failures


def wait_for(what: Callable[[], bool], deadline_s: float = 20) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.02)
