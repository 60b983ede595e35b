import numpy as np
import pytest
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.render.effects import amplified
from whoplays.training.render.instruments import BY_NAME

DRAWS = 40


def strings(*pitches_hz: float) -> NDArray[np.float32]:
    """Two seconds of a tone at each pitch, in both channels."""
    times = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = sum(np.sin(2 * np.pi * pitch_hz * times) for pitch_hz in pitches_hz)
    return np.tile(np.asarray(tone, np.float32), (2, 1))


def spectrum(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power in steps of half a hertz."""
    return np.square(np.abs(np.fft.rfft(audio[0])))


def through(audio: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What was amplified, of many draws."""
    heard = [amplified(audio, np.random.default_rng(draw)) for draw in range(DRAWS)]
    return [sound for sound in heard if sound is not audio]


def test_the_draw_decides() -> None:
    audio = strings(220)
    first, again = (amplified(audio, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 0.5 < len(through(audio)) / DRAWS < 0.95


def test_what_is_amplified_is_one_channel_of_the_same_length() -> None:
    for sound in through(strings(220)):
        assert sound.shape == (1, 2 * SAMPLE_RATE_HZ)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()


def test_the_tone_that_is_played_is_the_loudest() -> None:
    for sound in through(strings(220)):
        assert np.argmax(spectrum(sound)) / 2 == pytest.approx(220, abs=8)


def test_a_loudspeaker_gives_little_above_its_range() -> None:
    for sound in through(strings(1000, 15_000)):
        power = spectrum(sound)
        assert power[2 * 14_900 : 2 * 15_100].sum() < 1e-2 * power[2 * 900 : 2 * 1100].sum()


def test_some_are_overdriven_and_most_are_clean() -> None:
    """An overdriven tone has a third harmonic of a tenth of its amplitude or more."""
    powers = [spectrum(sound) for sound in through(strings(440))]
    driven = [power[2 * 1290 : 2 * 1350].max() > 0.01 * power[2 * 420 : 2 * 460].max() for power in powers]
    assert 0.1 < np.mean(driven) < 0.6


def test_silence_stays_silence() -> None:
    for sound in through(np.zeros((2, SAMPLE_RATE_HZ), np.float32)):
        np.testing.assert_array_equal(sound, np.zeros_like(sound))


def test_electric_guitars_are_amplified() -> None:
    assert [name for name, instrument in BY_NAME.items() if instrument.amplified] == ["electric guitar"]
