from pathlib import Path

import pytest

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.pcm import PcmFormat
from whoplays.stream.sources.registry import from_uri


def test_a_path_and_a_file_address_are_the_same(concert: Path) -> None:
    assert from_uri(str(concert)).uri == from_uri(concert.as_uri()).uri == concert.as_uri()


def test_an_unknown_scheme_says_what_can_be_given() -> None:
    with pytest.raises(SourceError, match="cannot listen to gopher: addresses; give an audio file, - for raw PCM"):
        from_uri("gopher://239.0.0.1:5004")


def test_how_pcm_is_read_is_refused_of_what_is_none(concert: Path) -> None:
    with pytest.raises(OptionError, match="says itself what its format, rate and channels are"):
        from_uri(str(concert), pcm=PcmFormat())


def test_an_unknown_speed_is_refused(concert: Path) -> None:
    with pytest.raises(OptionError, match="realtime or max"):
        from_uri(str(concert), speed="slow")  # type: ignore[arg-type]
