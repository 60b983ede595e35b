"""What the engine's thread sees while the source's thread is in the midst of it."""

import threading
import time

import numpy as np
import pytest

from tests.stream.sources.made_source import SAMPLES, MadeSource
from whoplays.stream.audio.block import Block
from whoplays.stream.pipeline.options import Habits
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.session import Hearing


@pytest.fixture
def hearing(recognizer: Recognizer) -> Hearing:
    return Hearing(Habits(), recognizer, "made", "made:", threading.Event())


def test_a_source_is_there_once_it_is_known_since_when(hearing: Hearing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be given up at once, as one from which nothing came since the beginning of time."""
    seen = []

    def monotonic_ns() -> int:
        seen.append(hearing.source)
        return 5

    monkeypatch.setattr("whoplays.stream.pipeline.session.time.monotonic_ns", monotonic_ns)
    source = MadeSource([])
    hearing.adopt(source)
    assert seen
    assert not any(seen)
    assert (hearing.source, hearing.newest_ns) == (source, 5)


def test_a_session_has_begun_once_it_is_known_that_something_came(
    hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less patience is had with it from then on, counted from what came, and not from when it was opened."""
    seen = []
    hearing.adopt(MadeSource([]))
    opened_ns = hearing.newest_ns
    monkeypatch.setattr(hearing.clock, "mark", lambda *_: seen.append((hearing.began_ns, hearing.newest_ns)))
    hearing.write(Block(np.zeros((2, SAMPLES), np.float32), time.monotonic_ns()))
    ((began_ns, newest_ns),) = seen
    assert began_ns
    assert newest_ns > opened_ns
