"""Whatever is lost, an index is a time, at any rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.rtp.packets import make_audio
from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection, Converter
from whoplays.stream.audio.timeline import PIECE_SAMPLES, Timeline

START_NS = 7_000_000_000_000


@settings(max_examples=60)
@given(
    st.sampled_from([8_000, 44_100, 48_000, 192_000]),
    st.lists(st.tuples(st.booleans(), st.integers(1, 100_000)), min_size=1, max_size=10),
)
def test_what_was_lost_lies_where_it_belongs_and_all_times_are_those_of_their_ends(
    rate_hz: int, happening: list[tuple[bool, int]]
) -> None:
    axis, blocks = Timeline(rate_hz, 2, ChannelSelection()), list[Block]()
    for lost, frames in happening:
        captured_at_ns = START_NS + axis.duration_ns(axis.frames + frames)
        if lost:
            blocks += axis.append_gap(frames, "network", captured_at_ns)
            assert sum(block.audio.shape[1] for block in blocks) == axis.frames * SAMPLE_RATE_HZ // rate_hz
        else:
            blocks += axis.append(np.full((frames, 2), 0.5, np.float32), captured_at_ns)
    assert axis.frames == sum(frames for _, frames in happening)
    written = 0
    for block in blocks:
        written += block.audio.shape[1]
        assert abs(block.captured_at_ns - START_NS - written * 1_000_000_000 // SAMPLE_RATE_HZ) < 100_000
        assert not block.lost or (block.audio.shape[1] <= PIECE_SAMPLES and not block.audio.any())


def test_many_short_gaps_do_not_add_up() -> None:
    """982 frames last 225.55 samples, which the resampler rounds up; a gap of one frame cannot make up for that."""
    timeline, samples = Timeline(192_000, 2, ChannelSelection()), 0
    for _ in range(300):
        blocks = [*timeline.append(np.full((982, 2), 0.5, np.float32), START_NS)]
        blocks += timeline.append_gap(1, "network", START_NS)
        samples += sum(block.audio.shape[1] for block in blocks)
        assert samples == timeline.frames * SAMPLE_RATE_HZ // 192_000


@settings(max_examples=50)
@given(
    st.sampled_from([8_000, 44_100, 48_000, 96_000]),
    st.lists(st.tuples(st.booleans(), st.integers(10, 5_000)), min_size=1, max_size=12),
)
def test_losses_keep_their_place_and_length_to_the_end(rate_hz: int, runs: list[tuple[bool, int]]) -> None:
    axis, blocks = Timeline(rate_hz, 2, ChannelSelection()), list[Block]()
    lost = np.concatenate([np.full(frames, missing) for missing, frames in runs])
    for missing, frames in runs:
        captured_at_ns = START_NS + axis.duration_ns(axis.frames + frames)
        blocks += (
            axis.append_gap(frames, "network", captured_at_ns)
            if missing
            else axis.append(make_audio(frames), captured_at_ns)
        )
    blocks += axis.finish(START_NS + axis.duration_ns(axis.frames))
    samples = sum(block.audio.shape[1] for block in blocks)
    assert 0 <= samples - len(lost) * SAMPLE_RATE_HZ // rate_hz <= 1
    marked = np.concatenate([np.full(block.audio.shape[1], block.lost == "network") for block in blocks])
    middles = np.minimum((np.arange(samples) * rate_hz + rate_hz // 2) // SAMPLE_RATE_HZ, len(lost) - 1)
    assert np.count_nonzero(marked != lost[middles]) <= 2 * len(runs)
    assert not any(block.audio.any() for block in blocks if block.lost)
    written = np.cumsum([block.audio.shape[1] for block in blocks])
    late_ns = [block.captured_at_ns - START_NS for block in blocks] - written * 1_000_000_000 / SAMPLE_RATE_HZ
    assert np.abs(late_ns).max(initial=0) < 100_000


def around_a_loss(audio: Audio, end: int) -> tuple[Audio, Audio]:
    """What is heard at 48 kHz if 2000 frames up to `end` are lost, and if they are silent; without what lies near."""
    begin = end - 2_000
    axis = Timeline(48_000, 2, ChannelSelection())
    blocks = [*axis.append(audio[:begin], 0), *axis.append_gap(2_000, "network", 0), *axis.append(audio[end:], 0)]
    heard = np.concatenate([block.audio for block in [*blocks, *axis.finish(0)]], axis=1)
    silent = audio.copy()
    silent[begin:end] = 0
    expected = Converter(48_000, 2).convert(silent, last=True)
    assert heard.shape == expected.shape
    places = np.arange(expected.shape[1]) * 48_000 / SAMPLE_RATE_HZ
    far = (np.abs(places - begin) > 100) & (np.abs(places - end) > 100) & (len(audio) - places > 100)
    return heard[:, far], expected[:, far]


def test_where_the_samples_of_both_rates_coincide_a_loss_changes_nothing_around_it() -> None:
    heard, expected = around_a_loss(make_audio(9_600), 5_120)
    np.testing.assert_allclose(heard, expected, atol=1e-5)


@pytest.mark.parametrize("end", [5_000, 5_001, 5_119])
def test_elsewhere_what_follows_lies_less_than_a_sample_off(end: int) -> None:
    """A tone of 100 Hz moves by so much within a sample."""
    tone = np.sin(2 * np.pi * 100 * np.arange(9_600) / 48_000)
    heard, expected = around_a_loss(np.stack([tone, tone], axis=1).astype(np.float32), end)
    np.testing.assert_allclose(heard, expected, atol=2 * np.pi * 100 / SAMPLE_RATE_HZ)


def test_at_our_own_rate_nothing_is_changed() -> None:
    audio = np.random.default_rng(3).uniform(-1, 1, (1000, 2)).astype(np.float32)
    (block,) = Timeline(SAMPLE_RATE_HZ, 2, ChannelSelection()).append(audio, 5)
    np.testing.assert_array_equal(block.audio, audio.T)
    assert (block.captured_at_ns, block.lost) == (5, None)


def test_a_chosen_channel_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match="channel 3 not found; there are 2"):
        Timeline(SAMPLE_RATE_HZ, 2, ChannelSelection(channels=(3,)))
