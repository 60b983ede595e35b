from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whoplays.models.errors import DataError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.mixing import rms
from whoplays.training.evaluate.conditions import Condition, conditions, pink

ALL = {condition.name: condition for condition in conditions()}
TIME_S = np.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ


def tone(pitch_hz: float, peak: float = 0.4) -> np.ndarray:
    """Stereo, the right channel half as loud as the left."""
    left = peak * np.sin(2 * np.pi * pitch_hz * TIME_S)
    return np.stack([left, left / 2]).astype(np.float32)


def under(name: str, window: np.ndarray, seed: int = 0) -> np.ndarray:
    return ALL[name].apply(window, np.random.default_rng(seed))


@pytest.mark.parametrize("condition", ALL.values(), ids=list(ALL))
@pytest.mark.parametrize("make", [lambda: tone(440), lambda: np.zeros((CHANNELS, WINDOW_SAMPLES), np.float32)])
def test_a_window_stays_a_window(condition: Condition, make: Callable[[], np.ndarray]) -> None:
    window = make()
    before = window.copy()
    output = condition.apply(window, np.random.default_rng(0))
    assert output.shape == window.shape
    assert output.dtype == np.float32
    assert np.abs(output).max() <= 1
    assert np.isfinite(output).all()
    np.testing.assert_array_equal(window, before)
    np.testing.assert_array_equal(output, condition.apply(window, np.random.default_rng(0)))


def test_levels_are_those_named_and_clip_at_full_scale() -> None:
    for level in (-24, -12, 6):
        assert rms(under(f"level {level:+d} dB", tone(440))) == pytest.approx(rms(tone(440)) * 10 ** (level / 20))
    loud = under("level +6 dB", tone(440, peak=0.9))
    assert np.abs(loud).max() == 1
    assert (np.abs(loud[0]) == 1).mean() > 0.3


def test_mono_is_the_same_on_both_channels() -> None:
    output = under("mono", tone(440))
    np.testing.assert_array_equal(output[0], output[1])
    np.testing.assert_allclose(output[0], tone(440).mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("ratio_db", [20, 10])
def test_noise_is_as_far_below_as_named(ratio_db: int) -> None:
    noise = under(f"noise at {ratio_db} dB", tone(440)) - tone(440)
    assert 20 * np.log10(rms(tone(440)) / rms(noise)) == pytest.approx(ratio_db, abs=0.01)


def test_pink_noise_is_as_strong_in_every_octave() -> None:
    power = np.square(np.abs(np.fft.rfft(pink((CHANNELS, WINDOW_SAMPLES), np.random.default_rng(0)))))
    hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SAMPLE_RATE_HZ)
    octaves = [power[:, (hz >= low) & (hz < 2 * low)].sum() for low in (100, 400, 1600, 6400)]
    assert max(octaves) / min(octaves) < 1.3


def test_the_low_pass_leaves_what_is_below_it() -> None:
    assert rms(under("low-pass 4 kHz", tone(1000))) == pytest.approx(rms(tone(1000)), rel=0.01)
    assert rms(under("low-pass 4 kHz", tone(6000))) < 0.01 * rms(tone(6000))


@pytest.mark.parametrize("name", ["MP3 64k", "Opus 32k"])
def test_a_codec_keeps_a_tone_in_its_place(name: str) -> None:
    output = under(name, tone(440))
    assert np.corrcoef(output[0], tone(440)[0])[0, 1] > 0.98
    assert not np.array_equal(output, tone(440))


def test_only_the_loudest_second_is_left() -> None:
    window = tone(440)
    window[:, SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ] *= 2
    output = under("1 s of 3", window)
    np.testing.assert_array_equal(output[:, SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ], window[:, SAMPLE_RATE_HZ:][:, :44100])
    assert not output[:, :SAMPLE_RATE_HZ].any()
    assert not output[:, 2 * SAMPLE_RATE_HZ :].any()


def test_a_room_rings_on_and_is_as_loud() -> None:
    window = tone(440)
    window[:, SAMPLE_RATE_HZ:] = 0
    output = under("room", window)
    assert rms(output) == pytest.approx(rms(window), rel=0.01)
    assert rms(output[:, SAMPLE_RATE_HZ + 2000 : SAMPLE_RATE_HZ + 8000]) > 0.01


def test_a_given_room_is_used(tmp_path: Path) -> None:
    """One that does nothing but come late: the delay before its loudest sample is left out."""
    impulse = np.zeros(2000)
    impulse[700] = 0.5
    soundfile.write(tmp_path / "room.wav", impulse, SAMPLE_RATE_HZ)
    (room,) = (one for one in conditions(tmp_path / "room.wav") if one.name == "room")
    np.testing.assert_allclose(room.apply(tone(440), np.random.default_rng(0)), tone(440), atol=1e-3)


@pytest.mark.parametrize("name", ["missing.wav", "silent.wav", "text.wav"])
def test_what_is_no_room_is_refused(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), SAMPLE_RATE_HZ)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match=f"{name} is not an impulse response"):
        conditions(tmp_path / name)


def test_a_libsndfile_without_the_codec_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(soundfile, "write", refuse)
    with pytest.raises(DataError, match="cannot code OPUS"):
        under("Opus 32k", tone(440))
