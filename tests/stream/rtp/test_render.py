import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SourceError
from stream.convert import Converter
from stream.intake import Intake
from stream.rtp.formats import Format
from stream.rtp.render import Renderer
from stream.source import Block
from tests.stream.rtp.packets import make_audio

SECOND = 1_000_000_000


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([8_000, 44_100, 48_000, 96_000]),
    st.lists(st.tuples(st.booleans(), st.integers(10, 5_000)), min_size=1, max_size=12),
)
def test_losses_keep_their_place_and_length_through_any_conversion(rate_hz: int, runs: list[tuple[bool, int]]) -> None:
    renderer = Renderer(Format(rate_hz), Intake())
    total = sum(frames for _, frames in runs)
    lost, at = np.zeros(total, bool), 0
    blocks: list[Block] = []
    for missing, frames in runs:
        lost[at : at + frames] = missing
        at += frames
        heard_ns = at * SECOND // rate_hz
        if missing:
            blocks += renderer.lost(frames, "network", heard_ns)
        else:
            blocks += renderer.heard(make_audio(frames), heard_ns)
    blocks += renderer.finish(total * SECOND // rate_hz)
    samples = sum(block.audio.shape[1] for block in blocks)
    assert abs(samples - total * 44_100 / rate_hz) <= 1
    marked = np.concatenate([np.full(block.audio.shape[1], block.lost == "network") for block in blocks])
    middles = np.minimum((np.arange(samples) * rate_hz + rate_hz // 2) // 44_100, total - 1)
    assert np.count_nonzero(marked != lost[middles]) <= 2 * len(runs)
    written = 0
    for block in blocks:
        written += block.audio.shape[1]
        assert not (block.lost and block.audio.any())
        assert abs(block.heard_ns - written * SECOND / 44_100) < SECOND / 4_000


def test_at_our_own_rate_nothing_is_changed() -> None:
    audio = make_audio(1000)
    (block,) = Renderer(Format(), Intake()).heard(audio, 5)
    np.testing.assert_array_equal(block.audio, audio.T)
    assert (block.heard_ns, block.lost) == (5, None)


def test_what_is_heard_around_a_loss_sounds_as_it_would_have() -> None:
    audio = make_audio(9_600)
    audio[3_000:5_000] = 0
    renderer = Renderer(Format(48_000), Intake())
    blocks = [*renderer.heard(audio[:3_000], 0), *renderer.lost(2_000, "network", 0), *renderer.heard(audio[5_000:], 0)]
    heard = np.concatenate([block.audio for block in [*blocks, *renderer.finish(0)]], axis=1)
    expected = Converter(48_000, 2).convert(audio, last=True)
    far = np.r_[0:2_700, 4_700 : expected.shape[1]]
    np.testing.assert_allclose(heard[:, far], expected[:, far], atol=1e-5)


def test_a_chosen_channel_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match="no channel 3; there are 2"):
        Renderer(Format(), Intake(channels=(3,)))
