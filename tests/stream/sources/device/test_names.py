import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.device.names import SCHEME, DeviceRequest, Input, read_address, resolve

ALL = ChannelSelection()


def make(hostapi: str, name: str, *, default: bool = False) -> Input:
    return Input(hostapi=hostapi, name=name, channels=2, rate_hz=48_000, default=default)


LINE = make("ALSA", "HDA Intel: ALC (hw:0,0)")
STAGE = make("ALSA", "Scarlett 18i8 USB: Audio (hw:1,0)")
SPARE = make("ALSA", "Scarlett 2i2 USB: Audio (hw:2,0)", default=True)
JACK = make("JACK Audio Connection Kit", "system")
OSS = make("OSS", "Scarlett")
SHORT = make("ALSA", "Scarlett")
INPUTS = [LINE, STAGE, SPARE, JACK]


@pytest.mark.parametrize(
    ("selector", "inputs", "meant"),
    [
        ("", INPUTS, SPARE),
        ("HDA Intel: ALC (hw:0,0)", INPUTS, LINE),
        ("ALSA:HDA Intel: ALC (hw:0,0)", INPUTS, LINE),
        ("alsa:hda intel", INPUTS, LINE),
        ("HDA Intel: ALC", INPUTS, LINE),
        ("hw:1,0", INPUTS, STAGE),
        ("scarlett 18", INPUTS, STAGE),
        ("Scarlett%2018i8", INPUTS, STAGE),
        ("JACK Audio Connection Kit:system", INPUTS, JACK),
        ("JACK%20Audio%20Connection%20Kit:sys", INPUTS, JACK),
        # An exact name wins over parts of others, and a host API tells equal names apart.
        ("Scarlett", [*INPUTS, SHORT], SHORT),
        ("OSS:Scarlett", [SHORT, OSS], OSS),
    ],
)
def test_an_input_is_found_by_name(selector: str, inputs: list[Input], meant: Input) -> None:
    assert resolve(selector, inputs) == meant


@pytest.mark.parametrize(
    ("selector", "inputs", "message"),
    [
        ("Scarlett", [SHORT, OSS], "'Scarlett' is one of several; give one of: device:ALSA:Scarlett, device:OSS:Scar"),
        ("scarlett", INPUTS, r"'scarlett' is one of several; give one of: device:ALSA:Scarlett 18i8 .*2i2 [^,]*,0\)$"),
        ("Focusrite", INPUTS, "sound input 'Focusrite' not found; there are: device:ALSA:HDA"),
        ("x", [make("ALSA", f"input {each}") for each in range(100)], "and 90 more, which whoplays devices lists"),
        ("", [LINE], "default sound input not found; give one of: device:ALSA:HDA Intel"),
        ("", [], "sound input not found; connect one, and list them with: whoplays devices"),
        ("any", [], "sound input not found; connect one, and list them with: whoplays devices"),
    ],
)
def test_what_stands_for_none_or_several_is_refused_with_what_there_is(
    selector: str, inputs: list[Input], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        resolve(selector, inputs)


@settings(max_examples=100)
@given(
    st.lists(
        st.builds(make, st.sampled_from(["ALSA", "OSS", "Windows WASAPI", "a:b", "100%"]), st.text(min_size=1)),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_every_address_stands_for_its_input_alone(inputs: list[Input]) -> None:
    for each in inputs:
        assert each.uri.isprintable() or not each.name.isprintable()
        assert "?" not in each.uri
        assert each.uri == f"{SCHEME}:{each.selector}"
        assert resolve(each.selector, inputs) == each


@pytest.mark.parametrize(
    ("uri", "request_"),
    [
        ("device:", DeviceRequest("", ALL)),
        ("device:ALSA:HDA: x (hw:0,0)", DeviceRequest("ALSA:HDA: x (hw:0,0)", ALL)),
        ("device:Mic #2?rate=48000", DeviceRequest("Mic #2", ALL, 48_000)),
        ("device:?channels=3,4", DeviceRequest("", ChannelSelection(channels=(3, 4)))),
        ("device:Mic%3F?channels=2&rate=96000", DeviceRequest("Mic%3F", ChannelSelection(channels=(2,)), 96_000)),
    ],
)
def test_an_address_is_read_and_written(uri: str, request_: DeviceRequest) -> None:
    assert read_address(uri, ALL) == request_
    assert f"{SCHEME}:{request_.selector}{request_.query}" == uri


def test_the_address_has_the_last_word_on_channels_alone() -> None:
    given = ChannelSelection(channels=(1, 2), gain_db=6.0)
    assert read_address("device:x?channels=5", given).selection == ChannelSelection(channels=(5,), gain_db=6.0)
    assert read_address("device:x", given).selection == given


@pytest.mark.parametrize("query", ["rate=cd", "rate=0", "rate=-1", "rate=", f"rate={'9' * 5000}", "gain=1"])
def test_unknown_options_and_impossible_rates_are_refused(query: str) -> None:
    with pytest.raises(SourceError, match=r"1000 .* 1000000|option 'gain' not found"):
        read_address(f"device:x?{query}", ALL)


@pytest.mark.parametrize("channels", ["0", "1,2,65", "99", "left", ""])
def test_impossible_channels_are_refused(channels: str) -> None:
    with pytest.raises(OptionError, match=r"1 .* 64|up to 2"):
        read_address(f"device:x?channels={channels}", ALL)


def test_an_address_that_is_not_utf_8_names_an_input_that_is_not() -> None:
    assert read_address("device:caf\udce9", ChannelSelection()).selector == "caf\ufffd"
