import numpy as np
import pytest

from training.placement import placed

SEEDS = range(64)
CLICK = np.zeros(132_300, np.float32)
CLICK[1000] = 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_later_is_never_louder_nor_later_than_a_metre_takes(seed: int) -> None:
    heard = placed(CLICK, np.random.default_rng(seed))
    assert heard.dtype == np.float32
    assert heard.shape == CLICK.shape
    (places,) = np.nonzero(heard)
    assert places[0] == 1000
    assert places[-1] - 1000 <= 44_100 / 343
    assert heard[places[0]] >= heard[places[-1]]


def test_microphones_apart_comb_and_a_panned_player_keeps_its_colour() -> None:
    echoes = [int(np.count_nonzero(placed(CLICK, np.random.default_rng(seed)))) for seed in SEEDS]
    assert 16 <= echoes.count(2) <= 48
    assert set(echoes) == {1, 2}


def test_a_panned_player_is_as_loud_in_both_channels_together_wherever_it_is() -> None:
    peaks = [placed(CLICK, np.random.default_rng(seed)) for seed in SEEDS]
    sums = [float(heard.sum()) for heard in peaks]
    assert min(sums) >= 0.5
    assert max(sums) <= np.sqrt(0.5) + 1e-6


def test_silence_stays_silence() -> None:
    assert not placed(np.zeros_like(CLICK), np.random.default_rng(1)).any()
