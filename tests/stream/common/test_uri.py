import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.common.uri import parse_uri, redact


def test_address_has_parts() -> None:
    address = parse_uri("rtp://239.0.0.1:5004?rate=48000", frozenset({"rate"}))
    assert address == ("239.0.0.1", 5004, {"rate": "48000"})


@pytest.mark.parametrize("uri", ["rtp://a:99999", "rtp://[::1", "rtp://a:b"])
def test_malformed_address_is_refused(uri: str) -> None:
    with pytest.raises(SourceError, match="is malformed"):
        parse_uri(uri, frozenset())


def test_an_unknown_option_names_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"^rtp://:5004.rat=…: option 'rat' not found; it has: channels, rate$"):
        parse_uri("rtp://:5004?rat=1", frozenset({"rate", "channels"}))


@pytest.mark.parametrize(
    "uri", ["http://u:hunter2@h/x?key=hunter2", "http://u:hunter2/x@h", "rtsp://hunter2@[::1]:8/x", "http://[hunter2"]
)
@pytest.mark.parametrize("outer", ["", "hls:", "hls://"])
def test_no_secret_is_shown(outer: str, uri: str) -> None:
    shown = redact(outer + uri)
    assert "hunter2" not in shown
    assert shown.startswith(outer.removesuffix("//"))


@pytest.mark.parametrize("uri", ["http://u:hunter2@h:999999/", "rtsp://hunter2@[::1]:8/x?what=1", "http://[hunter2"])
def test_no_secret_is_shown_when_an_address_is_refused(uri: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_uri(uri, frozenset())
    assert "hunter2" not in str(refused.value)
