import numpy as np
import pytest
from numpy.typing import NDArray

from whoplays.training.windows.channel import panned, through_channel

SEEDS = range(200)
CLICK = np.zeros(132_300, np.float32)
CLICK[1000] = 1.0


class Fixed(np.random.Generator):
    """Draws that are given: direction, whether microphones stand close together, and how far apart they stand."""

    def __init__(self, direction: float, close: float, way_m: float = 1.0) -> None:
        super().__init__(np.random.PCG64(1))
        self._uniform, self._random = iter((direction, way_m)), close

    def uniform(self, *_: object) -> float:  # type: ignore[override]
        return next(self._uniform)

    def random(self, *_: object) -> float:  # type: ignore[override]
        return self._random


def echoes(heard: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """When what of a click is heard, in samples from its own place."""
    (places,) = np.nonzero(heard)
    return places - 1000, heard[places]


@pytest.mark.parametrize("seed", range(16))
def test_length_and_type_stay(seed: int) -> None:
    heard = panned(CLICK, np.random.default_rng(seed))
    assert heard.shape == CLICK.shape
    assert heard.dtype == np.float32


def test_power_is_shared_between_the_channels_wherever_a_player_is() -> None:
    """Their mean halves both; what is near comes first and is louder."""
    both = [echoes(panned(CLICK, np.random.default_rng(seed))) for seed in SEEDS]
    apart = [(late, levels) for late, levels in both if len(late) == 2]
    assert 60 < len(apart) < 120
    for late, levels in apart:
        assert late[0] == 0
        assert levels[0] >= levels[1]
        assert 4 * np.square(levels).sum() == pytest.approx(1, abs=1e-5)
    assert 64 < max(late[1] for late, _ in apart) <= 44_100 / 343


@pytest.mark.parametrize(("direction", "samples"), [(0.0, 0), (1 / 3, 64), (-1 / 3, 64), (0.99, 129)])
def test_a_sound_is_late_by_the_sine_of_its_direction(direction: float, samples: int) -> None:
    """At a metre, 128.6 samples from the side; 30 degrees are half of that."""
    late, _ = echoes(panned(CLICK, Fixed(direction, close=0.0)))
    assert late[-1] == samples


@pytest.mark.parametrize(("direction", "level"), [(0.0, np.sqrt(0.5)), (1.0, 0.5), (-1.0, 0.5), (0.5, 0.6533)])
def test_a_player_who_is_only_panned_keeps_its_colour(direction: float, level: float) -> None:
    late, levels = echoes(panned(CLICK, Fixed(direction, close=0.9)))
    assert late.tolist() == [0]
    assert levels[0] == pytest.approx(level, abs=1e-4)


def test_silence_stays_silence() -> None:
    assert not panned(np.zeros_like(CLICK), np.random.default_rng(1)).any()


def test_a_channel_keeps_length_and_level() -> None:
    audio = np.random.default_rng(1).standard_normal(132_300).astype(np.float32)
    for seed in range(24):
        heard = through_channel(audio, np.random.default_rng(seed))
        assert heard.shape == audio.shape
        assert heard.dtype == np.float32
        assert np.square(heard).mean() == pytest.approx(1, rel=0.05)
