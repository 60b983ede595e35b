import importlib
from pathlib import Path

import pytest

from tests.stream.sources.scripted_source import ScriptedSource
from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.sources.base import BoundAddress, SourceSpec
from whoplays.stream.sources.registry import KINDS, check_uri, kind_of, open_later, open_now, open_uri


@pytest.mark.parametrize("place", [place for kind in KINDS for place in (kind.opener, kind.check) if place])
def test_every_entry_names_functions_that_exist(place: str) -> None:
    module, _, name = place.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_a_path_and_a_file_address_are_the_same(concert: Path) -> None:
    assert open_uri(str(concert)).uri == open_uri(concert.as_uri()).uri == concert.as_uri()


@pytest.mark.parametrize(
    ("uri", "scheme", "reconnects"),
    [
        ("concert.wav", "file", False),
        ("a: concert.wav", "file", False),
        ("FILE:///concert.wav", "file", False),
        ("media:concert.mkv", "media", False),
        ("device:", "device", True),
        ("RTP://:5004", "rtp", True),
        ("hls://radio.example/live", "hls", True),
    ],
)
def test_a_scheme_says_the_kind(uri: str, scheme: str, reconnects: bool) -> None:
    assert scheme in kind_of(uri).schemes
    assert kind_of(uri).reconnects == open_later(uri, WHOLE).reconnects == reconnects


@pytest.mark.parametrize("uri", ["gopher://me:secret@239.0.0.1:5004", "-"])
def test_other_addresses_are_refused_with_those_there_are(uri: str) -> None:
    with pytest.raises(
        SourceError, match=r"begins with device:, rtp://, .*, https://, .*, media:, file://; got"
    ) as raised:
        open_later(uri, WHOLE)
    assert "secret" not in str(raised.value)


def test_a_format_is_refused_of_what_is_no_raw_pcm(concert: Path) -> None:
    with pytest.raises(OptionError, match="format and rate must be left out unless the source is -, got"):
        open_uri(str(concert), pcm=PcmFormat())


def test_an_unknown_speed_is_refused(concert: Path) -> None:
    with pytest.raises(OptionError, match="realtime or max, got 'slow'"):
        open_uri(str(concert), speed="slow")  # type: ignore[arg-type]


def test_only_what_was_opened_by_a_live_address_is_opened_again(concert: Path) -> None:
    live = open_now("rtp://127.0.0.1:0")
    first, second = live.open(), live.open()
    assert first is not second
    first.stop()
    second.stop()
    for once in (open_now(str(concert)), SourceSpec.opened(ScriptedSource([]))):
        assert not once.reconnects
        assert once.open() is once.open()


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("rtp://:5004", BoundAddress("udp", "", 5004)),
        ("rtp://239.0.0.1:5004", None),
        ("zmq://[::1]:9461", BoundAddress("tcp", "::1", 9461)),
        ("zmq://127.0.0.1:0", BoundAddress("tcp", "127.0.0.1", 0)),
        ("device:Mic?channels=3,4", None),
        ("http://radio.example/live", None),
    ],
)
def test_a_check_says_what_would_be_bound(uri: str, address: BoundAddress | None) -> None:
    assert check_uri(uri, WHOLE) == address


@pytest.mark.parametrize(
    "uri", ["rtp://", "zmq://*:9461", "device:?channels=0", "http:///live", "media:/missing.mkv", "missing.wav"]
)
def test_a_check_finds_what_is_wrong_without_opening_it(uri: str) -> None:
    with pytest.raises((SourceError, OptionError)):
        check_uri(uri, ChannelSelection())


def test_messages_show_every_scheme() -> None:
    for kind in KINDS:
        assert tuple(example.partition(":")[0] for example in kind.examples) == kind.schemes
