import numpy as np
import pytest
import torch

from whoplays.training.networks.resampling import Resampled

SECONDS = np.arange(132_300) / 44_100
LATER_S = np.arange(96_000) / 32_000
INNER = slice(500, -500)


def resampled(audio: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(Resampled(32_000)(torch.from_numpy(np.asarray(audio, np.float32))).numpy())


@pytest.mark.parametrize("hertz", [50, 440, 3_000, 14_000])
def test_a_tone_stays_the_same_tone(hertz: int) -> None:
    (found,) = resampled([np.sin(2 * np.pi * hertz * SECONDS)])
    assert found.shape == LATER_S.shape
    np.testing.assert_allclose(found[INNER], np.sin(2 * np.pi * hertz * LATER_S)[INNER], atol=2e-3)


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    (found,) = resampled([np.sin(2 * np.pi * 17_500 * SECONDS)])
    assert np.abs(found[INNER]).max() < 2e-3


def test_a_rate_whose_rows_are_shorter_than_the_filter_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than the filter"):
        Resampled(22_050)


def test_windows_of_a_batch_do_not_touch() -> None:
    first, second = resampled([np.ones(132_300), np.zeros(132_300)])
    assert not second.any()
    np.testing.assert_allclose(first[INNER], 1, atol=2e-3)
