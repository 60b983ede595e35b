from typing import Any

import numpy as np
import pytest

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.resample import ChannelSelection, Converter


def test_chosen_channels_and_gain_are_what_comes_out() -> None:
    frames = np.arange(40, dtype=np.float32).reshape(10, 4) / np.float32(100)
    heard = Converter(44_100, 4, ChannelSelection(channels=(3, 4), gain_db=20.0)).convert(frames)
    np.testing.assert_allclose(heard, 10 * frames[:, 2:].T, rtol=1e-6)


def test_one_chosen_channel_is_doubled() -> None:
    frames = np.arange(40, dtype=np.float32).reshape(10, 4)
    heard = Converter(44_100, 4, ChannelSelection(channels=(2,))).convert(frames)
    np.testing.assert_array_equal(heard, np.stack([frames[:, 1]] * 2))


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(SourceError, match="channel 3 not found; there are 2"):
        Converter(44_100, 2, ChannelSelection(channels=(3,)))


@pytest.mark.parametrize("channels", [(0,), (65,), (1, 2, 70), "some"])
def test_impossible_channels_are_refused(channels: Any) -> None:
    with pytest.raises(OptionError, match="numbers between 1 and 64, or all"):
        ChannelSelection(channels=channels)


@pytest.mark.parametrize("gain_db", [61.0, float("nan")])
def test_an_impossible_gain_is_refused(gain_db: float) -> None:
    with pytest.raises(OptionError, match="gain"):
        ChannelSelection(gain_db=gain_db)
