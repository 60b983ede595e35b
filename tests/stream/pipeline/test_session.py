"""What the engine's thread sees while the source's thread is in the midst of it."""

import time
from functools import partial

import numpy as np
import pytest

from tests.stream.sources.scripted_source import SAMPLES, ScriptedSource
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.session import RING_SAMPLES, Session


@pytest.fixture
def session(recognizer: Recognizer) -> Session:
    return Session(StreamOptions(), recognizer, "made", "made:", partial(RingBuffer, 2, RING_SAMPLES))


def test_a_source_is_there_once_it_is_known_since_when(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be given up at once, as one from which no_audio came since the beginning of time."""
    seen = []

    def monotonic_ns() -> int:
        seen.append(session.source)
        return 5

    monkeypatch.setattr("whoplays.stream.pipeline.session.time.monotonic_ns", monotonic_ns)
    source = ScriptedSource([])
    session.connect(source)
    assert seen
    assert not any(seen)
    assert (session.source, session.last_block_at_ns) == (source, 5)


def test_a_session_has_begun_once_it_is_known_that_something_came(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less patience is had with it from then on, counted from what came, and not from when it was spec."""
    seen = []
    session.connect(ScriptedSource([]))
    opened_ns = session.last_block_at_ns
    monkeypatch.setattr(
        session.clock, "observe", lambda *_: seen.append((session.started_at_ns, session.last_block_at_ns))
    )
    session.write(Block(np.zeros((2, SAMPLES), np.float32), time.monotonic_ns()))
    ((started_at_ns, last_block_at_ns),) = seen
    assert started_at_ns
    assert last_block_at_ns > opened_ns


def test_no_count_is_negative_while_a_gap_is_written(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its zeros may have to wait, or be many."""
    seen = []

    def write(block: Audio, *, wait: bool) -> bool:
        assert [gap.end for gap in session.gaps()] == [SAMPLES]
        seen.append(session.elapsed_samples - session.lost_samples)
        return True

    session.connect(ScriptedSource([]))
    monkeypatch.setattr(session.ring, "write", write)
    session.write(Block(np.zeros((2, SAMPLES), np.float32), time.monotonic_ns(), "network"))
    assert seen == [0]


def test_times_that_are_made_of_something_else_begin_a_new_line(session: Session) -> None:
    """A sender's reports come: what came by its clock was captured before it arrived."""
    source = ScriptedSource([])
    session.connect(source)
    block, arrived_ns = np.zeros((2, 44_100), np.float32), 10**18
    for _ in range(30):
        arrived_ns += 10**9
        session.write(Block(block, arrived_ns))
    source.clock = "adc"
    for second in range(1, 31):
        session.write(Block(block, arrived_ns + second * 10**9 - 30_000_000))
    assert session.results.clock_kind == "adc"
    assert session.clock.drift_ppm == pytest.approx(0, abs=1e-3)
    assert session.clock.captured_at_ns(60 * 44_100) == arrived_ns + 30 * 10**9 - 30_000_000
