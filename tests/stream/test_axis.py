"""Whatever is lost, an index is a time, at any rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SourceError
from models.signal import SAMPLE_RATE_HZ
from stream.axis import PIECE_SAMPLES, Axis
from stream.intake import Intake
from stream.source import Block

START_NS = 7_000_000_000_000


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([8_000, 44_100, 48_000, 192_000]),
    st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), min_size=1, max_size=10),
)
def test_what_was_lost_lies_where_it_belongs_and_all_times_are_those_of_their_ends(
    rate_hz: int, happening: list[tuple[bool, int]]
) -> None:
    axis, blocks = Axis(rate_hz, 2, Intake()), list[Block]()
    for lost, frames in happening:
        heard_ns = START_NS + axis.duration_ns(axis.frames + frames)
        if lost:
            blocks += axis.lost(frames, "network", heard_ns)
            assert sum(block.audio.shape[1] for block in blocks) == axis.frames * SAMPLE_RATE_HZ // rate_hz
        else:
            blocks += axis.heard(np.full((frames, 2), 0.5, np.float32), heard_ns)
    assert axis.frames == sum(frames for _, frames in happening)
    written = 0
    for block in blocks:
        written += block.audio.shape[1]
        assert abs(block.heard_ns - START_NS - written * 1_000_000_000 // SAMPLE_RATE_HZ) < 100_000
        assert not block.lost or (block.audio.shape[1] <= PIECE_SAMPLES and not block.audio.any())


def test_at_our_own_rate_nothing_is_changed() -> None:
    audio = np.random.default_rng(3).uniform(-1, 1, (1000, 2)).astype(np.float32)
    (block,) = Axis(SAMPLE_RATE_HZ, 2, Intake()).heard(audio, 5)
    np.testing.assert_array_equal(block.audio, audio.T)
    assert (block.heard_ns, block.lost) == (5, None)


def test_a_chosen_channel_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match="no channel 3; there are 2"):
        Axis(SAMPLE_RATE_HZ, 2, Intake(channels=(3,)))
