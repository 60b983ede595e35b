import numpy as np
import pytest
from numpy.typing import NDArray

from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.fit.augmentation import augment_mixtures, augment_solos, to_power


def tone(mel: int, solos: int = 64) -> NDArray[np.float32]:
    """A single mel band that sounds all the time."""
    power = np.zeros((solos, FRAMES, BANDS), np.float32)
    power[:, :, mel] = 1.0
    return power


@pytest.mark.parametrize("change", [augment_solos, augment_mixtures])
def test_the_same_draw_changes_a_solo_in_the_same_way(change: type) -> None:
    first, again, other = (change(tone(20), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("change", [augment_solos, augment_mixtures])
@pytest.mark.parametrize("mel", [2, BANDS - 3])
def test_power_stays_power(change: type, mel: int) -> None:
    changed = change(tone(mel), np.random.default_rng(1))
    assert (changed.shape, changed.dtype) == ((64, FRAMES, BANDS), np.float32)
    assert np.isfinite(changed).all()
    assert (changed >= 0).all()
    assert changed.any(axis=(1, 2)).all()


def test_a_tone_stays_a_tone_no_more_than_two_bands_away() -> None:
    """Blurred over two bands it would sound like none that is recorded."""
    changed = augment_solos(tone(20), np.random.default_rng(1))
    sounding = changed.any(axis=1)
    assert (sounding.sum(axis=1) == 1).all()
    assert set(sounding.argmax(axis=1).tolist()) == {18, 19, 20, 21, 22}


def test_no_moment_is_invented() -> None:
    """Slower or faster, a solo is made of its own frames: the steps from one to the next stay small."""
    ramp = np.broadcast_to(np.arange(1.0, FRAMES + 1, dtype=np.float32)[None, :, None], (64, FRAMES, BANDS)).copy()
    changed = augment_solos(ramp, np.random.default_rng(1))
    scale = changed.max(axis=1, keepdims=True)
    whole = (changed > 0).all(axis=(1, 2))
    frames = changed[whole] / scale[whole]
    assert whole.mean() > 0.5
    assert np.abs(np.diff(frames[:, :, 30], axis=1)).max() < 0.05


def test_decibels_are_of_power() -> None:
    np.testing.assert_allclose(to_power(np.array([0.0, 10.0, -30.0])), [1.0, 10.0, 1e-3], rtol=1e-6)
