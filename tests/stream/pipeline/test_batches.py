import threading
from collections import Counter

import numpy as np
import pytest

from tests.stream.pipeline.test_ring import ramp
from tests.stream.sources.made_source import MadeSource
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.audio.block import Block
from whoplays.stream.pipeline.batches import Batcher
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.session import Session

SECOND = 44_100


def session(name: str, recognizer: Recognizer, windows: int, hop_samples: int = SECOND) -> Session:
    """A live stream with so many complete windows."""
    made = Session(StreamOptions(stream=name, hop_samples=hop_samples), recognizer, name, name, threading.Event())
    made.adopt(MadeSource([]))
    samples = WINDOW_SAMPLES + (windows - 1) * hop_samples if windows else 0
    made.write(Block(np.zeros((2, samples), np.float32), 10**18))
    return made


def test_streams_take_turns_whatever_their_number_of_windows(recognizer: Recognizer) -> None:
    batcher = Batcher(2, WINDOW_SAMPLES, (1, 2, 4))
    sessions = [session("slow", recognizer, 1), session("behind", recognizer, 9), session("quick", recognizer, 3)]
    first = batcher.gather(sessions)
    assert Counter(piece.session.sequencer.stream for piece in first.pieces) == {
        "slow": 1,
        "behind": 2,
        "quick": 1,
    } or Counter(piece.session.sequencer.stream for piece in first.pieces) == {"slow": 1, "behind": 1, "quick": 2}
    second = batcher.gather(sessions)
    assert Counter(piece.session.sequencer.stream for piece in second.pieces).keys() == {"behind", "quick"}


def test_who_is_first_changes(recognizer: Recognizer) -> None:
    batcher = Batcher(2, WINDOW_SAMPLES, (1,))
    sessions = [session(name, recognizer, 6) for name in ("a", "b", "c")]
    served = [batcher.gather(sessions).pieces[0].session.sequencer.stream for _ in range(6)]
    assert Counter(served) == {"a": 2, "b": 2, "c": 2}


def test_windows_of_a_stream_stay_in_order(recognizer: Recognizer) -> None:
    batcher = Batcher(2, WINDOW_SAMPLES, (1, 2, 4, 8))
    batch = batcher.gather([session("a", recognizer, 5), session("b", recognizer, 4)])
    for name in ("a", "b"):
        starts = [piece.span.start for piece in batch.pieces if piece.session.sequencer.stream == name]
        assert starts == [SECOND * k for k in range(len(starts))]
    assert len(batch.pieces) == 8


def test_nothing_is_gathered_from_nobody(recognizer: Recognizer) -> None:
    batcher = Batcher(2, WINDOW_SAMPLES, (1, 2))
    assert batcher.gather([]).pieces == ()
    assert batcher.gather([session("a", recognizer, 0)]).pieces == ()


def test_after_a_loss_a_stream_waits_for_the_next_batch(recognizer: Recognizer) -> None:
    behind = session("behind", recognizer, 1)
    behind.ring.write(ramp(0, 6 * WINDOW_SAMPLES).astype(np.float32))
    batch = Batcher(2, WINDOW_SAMPLES, (1, 2)).gather([behind])
    assert [loss.session.sequencer.stream for loss in batch.losses] == ["behind"]
    assert batch.pieces == ()
    assert batch.losses[0].missed.start == 0


@pytest.mark.parametrize("lag_s", [0.5, 20.0])
def test_what_has_grown_too_old_is_given_up_if_there_is_something_newer(recognizer: Recognizer, lag_s: float) -> None:
    options = StreamOptions(stream="old", hop_samples=WINDOW_SAMPLES, max_lag_s=lag_s)
    old = Session(options, recognizer, "old", "old", threading.Event())
    old.adopt(MadeSource([]))
    now_ns = old.last_block_at_ns
    for k in range(1, 4):
        old.write(Block(np.zeros((2, WINDOW_SAMPLES), np.float32), now_ns - (4 - k) * 3_000_000_000))
    batch = Batcher(2, WINDOW_SAMPLES, (1,)).gather([old])
    if lag_s == 20.0:
        assert [piece.span.start for piece in batch.pieces] == [0]
    else:
        assert [(loss.missed.start, loss.missed.end) for loss in batch.losses] == [(0, 2 * WINDOW_SAMPLES)]
