import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.models.errors import SourceError
from whoplays.stream.sources.device.names import SCHEME, Input, resolve, selector_of, uri_of


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
    ("selector", "meant"),
    [
        ("", SPARE),
        ("HDA Intel: ALC (hw:0,0)", LINE),
        ("ALSA:HDA Intel: ALC (hw:0,0)", LINE),
        ("alsa:hda intel", LINE),
        ("HDA Intel: ALC", LINE),
        ("hw:1,0", STAGE),
        ("scarlett 18", STAGE),
        ("Scarlett%2018i8", STAGE),
        ("JACK Audio Connection Kit:system", JACK),
        ("JACK%20Audio%20Connection%20Kit:sys", JACK),
    ],
)
def test_an_input_is_found_by_name(selector: str, meant: Input) -> None:
    assert resolve(selector, INPUTS) == meant


def test_an_exact_name_wins_over_parts_of_others() -> None:
    assert resolve("Scarlett", [*INPUTS, SHORT]) == SHORT


def test_a_host_api_tells_equal_names_apart() -> None:
    assert resolve("OSS:Scarlett", [SHORT, OSS]) == OSS
    with pytest.raises(SourceError, match=r"several .* 'Scarlett'; give one of: device:ALSA:Scarlett, device:OSS"):
        resolve("Scarlett", [SHORT, OSS])


def test_several_matches_are_listed() -> None:
    with pytest.raises(
        SourceError, match=r"several sound inputs match 'scarlett'; give one of: .*18i8.*2i2"
    ) as refused:
        resolve("scarlett", INPUTS)
    assert "HDA" not in str(refused.value)


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(SourceError, match=r"no sound input is called 'Focusrite'; give one of: device:ALSA:HDA"):
        resolve("Focusrite", INPUTS)


def test_a_long_list_is_cut() -> None:
    with pytest.raises(SourceError, match="and 90 more, which whoplays devices lists"):
        resolve("x", [make("ALSA", f"input {each}") for each in range(100)])


def test_no_default_is_said() -> None:
    with pytest.raises(SourceError, match="no default sound input; give one of: device:ALSA:HDA Intel"):
        resolve("", [LINE])


@pytest.mark.parametrize("selector", ["", "any"])
def test_no_input_at_all_is_said(selector: str) -> None:
    with pytest.raises(SourceError, match="there is no sound input; connect one, and list them with: whoplays devices"):
        resolve(selector, [])


@settings(deadline=None, max_examples=100)
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
        assert uri_of(each).isprintable() or not each.name.isprintable()
        assert "?" not in uri_of(each)
        assert resolve(uri_of(each).removeprefix(f"{SCHEME}:"), inputs) == each
        assert resolve(selector_of(each), inputs) == each
