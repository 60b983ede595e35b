import pytest

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.device.names import DeviceRequest, read_address


@pytest.mark.parametrize(
    ("uri", "wish"),
    [
        ("device:", DeviceRequest("", ChannelSelection(), None)),
        ("device:ALSA:HDA: x (hw:0,0)", DeviceRequest("ALSA:HDA: x (hw:0,0)", ChannelSelection(), None)),
        ("device:Mic #2?rate=48000", DeviceRequest("Mic #2", ChannelSelection(), 48_000)),
        ("device:?channels=3,4", DeviceRequest("", ChannelSelection(channels=(3, 4)), None)),
        ("device:Mic%3F?channels=2&rate=96000", DeviceRequest("Mic%3F", ChannelSelection(channels=(2,)), 96_000)),
    ],
)
def test_an_address_is_read(uri: str, wish: DeviceRequest) -> None:
    assert read_address(uri, ChannelSelection()) == wish


def test_the_address_has_the_last_word_on_channels_alone() -> None:
    given = ChannelSelection(channels=(1, 2), gain_db=6.0)
    assert read_address("device:x?channels=5", given).selection == ChannelSelection(channels=(5,), gain_db=6.0)
    assert read_address("device:x", given).selection == given


@pytest.mark.parametrize("query", ["rate=cd", "rate=0", "rate=-1", "rate=", f"rate={'9' * 5000}", "gain=1"])
def test_what_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(SourceError, match=r"must be between 1000 and 1000000|unknown option"):
        read_address(f"device:x?{query}", ChannelSelection())


@pytest.mark.parametrize("channels", ["0", "1,2,3", "99", "left", ""])
def test_impossible_channels_are_refused(channels: str) -> None:
    with pytest.raises(OptionError, match="must be one or two numbers"):
        read_address(f"device:x?channels={channels}", ChannelSelection())
