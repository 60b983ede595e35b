import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import Converter


def convert(frames: Audio, rate_hz: int, block: int) -> Audio:
    converter = Converter(rate_hz, frames.shape[1])
    blocks = [converter.convert(frames[at : at + block]) for at in range(0, len(frames), block)]
    return np.concatenate([*blocks, converter.convert(frames[:0], last=True)], axis=1)


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_click_stays_where_it_was(rate_hz: int) -> None:
    frames = np.zeros((2 * rate_hz, 2), np.float32)
    frames[rate_hz] = 0.5
    heard = convert(frames, rate_hz, rate_hz // 10)
    assert heard.shape == (2, 88_200)
    assert np.abs(heard).argmax(axis=1).tolist() == [44_100, 44_100]


@settings(max_examples=10)
@given(st.integers(1, 5000))
def test_blocks_of_any_size_sound_the_same(block: int) -> None:
    frames = np.random.default_rng(1).uniform(-0.5, 0.5, (5000, 2)).astype(np.float32)
    np.testing.assert_allclose(convert(frames, 48_000, block), convert(frames, 48_000, 5000), atol=1e-6)


def test_mono_is_doubled_and_of_many_the_first_two_are_taken() -> None:
    frames: Audio = np.arange(40, dtype=np.float32).reshape(10, 4) / np.float32(100)
    np.testing.assert_array_equal(convert(frames, 44_100, 10), frames[:, :2].T)
    np.testing.assert_array_equal(convert(frames[:, :1], 44_100, 3), np.repeat(frames[:, :1], 2, axis=1).T)


def test_pending_is_what_went_in_and_did_not_come_out() -> None:
    converter = Converter(48_000, 2)
    out = converter.convert(np.zeros((480, 2), np.float32))
    assert converter.pending_ns == 10_000_000 - out.shape[1] * 10**9 // 44_100


@pytest.mark.parametrize("block", [1, 100, 48_000])
@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_where_it_was(value: float, rate_hz: int, block: int) -> None:
    """It comes out as NaN, or as it is, at its time, and harms nothing before or after it."""
    frames = np.full((rate_hz // 2, 2), 0.5, np.float32)
    frames[rate_hz // 4, 1] = value
    out = convert(frames, rate_hz, block)
    wrong = np.flatnonzero(~np.isfinite(out).all(axis=0))
    assert 1 <= len(wrong) <= 3
    assert abs(wrong - 11_025).max() <= 2
    late = out[:, wrong[-1] + 2000 : -2000]
    np.testing.assert_allclose(late, 0.5, atol=1e-3)


def test_what_is_huge_does_not_stay_in_the_resampler() -> None:
    frames = np.full((48_000, 2), 0.5, np.float32)
    frames[24_000] = 3e38
    out = convert(frames, 48_000, 480)
    assert np.isfinite(out).all()
    assert np.abs(out).max() > 1e6
    np.testing.assert_allclose(out[:, 25_000:-2000], 0.5, atol=1e-3)


@pytest.mark.parametrize(("rate_hz", "channels"), [(0, 2), (-44_100, 2), (10_000_000, 2), (44_100, 0)])
def test_impossible_audio_is_refused(rate_hz: int, channels: int) -> None:
    with pytest.raises(SourceError, match="cannot listen"):
        Converter(rate_hz, channels)
