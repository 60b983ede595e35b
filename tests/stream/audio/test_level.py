import numpy as np
import pytest

from whoplays.stream.audio.level import FLOOR_DBFS, measure


def test_a_full_scale_sine_has_minus_three() -> None:
    sine = np.sin(2 * np.pi * np.arange(44_100) / 100).astype(np.float32)
    level = measure(np.stack([sine, sine]) * np.float32(0.999))
    assert level.dbfs == pytest.approx(-3.02, abs=0.01)
    assert level.clipped == 0


def test_digital_silence_is_at_the_floor() -> None:
    assert measure(np.zeros((2, 100), np.float32)) == (FLOOR_DBFS, 0)


def test_full_scale_samples_of_both_signs_are_counted() -> None:
    window = np.full((2, 100), 0.5, np.float32)
    window[0, :3] = 1.0
    window[1, :2] = -1.0
    assert measure(window).clipped == 5
