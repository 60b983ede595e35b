import numpy as np
import pytest

from whoplays.stream.audio.level import FLOOR_DBFS, LevelMeter, measure


def test_a_full_scale_sine_has_minus_three() -> None:
    sine = np.sin(2 * np.pi * np.arange(44_100) / 100).astype(np.float32)
    level = measure(np.stack([sine, sine]) * np.float32(0.999))
    assert level.dbfs == pytest.approx(-3.02, abs=0.01)
    assert level.clipped == 0


def test_digital_silence_is_at_the_floor() -> None:
    assert measure(np.zeros((2, 100), np.float32)) == (FLOOR_DBFS, FLOOR_DBFS, 0)


def test_full_scale_samples_of_both_signs_are_counted() -> None:
    window = np.full((2, 100), 0.5, np.float32)
    window[0, :3] = 1.0
    window[1, :2] = -1.0
    assert measure(window).clipped == 5


def test_the_peak_is_the_largest_sample_of_either_sign() -> None:
    window = np.zeros((2, 100), np.float32)
    window[1, 7] = -0.5
    assert measure(window).peak_dbfs == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("block", [1, 441, 44_100, 60_000])
def test_a_meter_has_the_level_of_the_newest_whole_second(block: int) -> None:
    meter = LevelMeter()
    audio = np.full((2, 120_000), 0.1, np.float32)
    audio[:, 60_000:] = 1.0
    seen = []
    for start in range(0, audio.shape[1], block):
        meter.update(audio[:, start : start + block])
        seen.append(meter.newest)
    assert (seen[0] is None) == (block < 44_100)
    levels = [level for level in dict.fromkeys(seen) if level]
    assert levels[0].dbfs == pytest.approx(-20.0)
    assert levels[0].clipped == 0
    assert (levels[-1].peak_dbfs, levels[-1].clipped > 50_000) == (0.0, True)
