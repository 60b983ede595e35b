from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.training.render.made import write_libraries
from whoplays.models.errors import DataError, OptionError
from whoplays.models.labels import CODES
from whoplays.training.render.instruments import LABELLED, OTHERS
from whoplays.training.render.orchestration import Orchestration, Soundfont, Voice
from whoplays.training.render.sample_library import read_libraries

FONTS = [Soundfont(Path("One GM.sf2"), "MIT"), Soundfont(Path("two.sf2"), "MIT")]


def voices(orchestration: Orchestration, count: int) -> list[Voice]:
    return [orchestration.voice(number, np.random.default_rng(number)) for number in range(count)]


def test_every_label_has_its_share_and_every_source_of_it(tmp_path: Path) -> None:
    orchestration = Orchestration(FONTS, read_libraries(write_libraries(tmp_path)))
    heard = Counter((voice.instrument.label, voice.source.name) for voice in voices(orchestration, 48 * 12))
    labels = Counter(label for label, _ in heard.elements())
    assert set(labels) == {*CODES, ""}
    assert labels["flute"] == 36
    assert labels["piano"] == 48
    assert 0.18 < labels[""] / labels.total() < 0.28
    assert {heard["piano", name] for name in ("one-gm", "two", "made-piano")} == {16}


def test_a_group_is_a_program_of_a_soundfont_or_a_library(tmp_path: Path) -> None:
    orchestration = Orchestration(FONTS, read_libraries(write_libraries(tmp_path)))
    groups = {voice.group for voice in voices(orchestration, 1000)}
    assert {"one-gm:40", "two:73", "one-gm:drums", "made-violin"} <= groups


def test_what_no_source_plays_is_left_out(tmp_path: Path) -> None:
    orchestration = Orchestration([], read_libraries(write_libraries(tmp_path)))
    assert {voice.instrument.name for voice in voices(orchestration, 50)} == {"piano", "violin"}


def test_the_range_is_that_of_the_program_or_of_the_samples(tmp_path: Path) -> None:
    orchestration = Orchestration(FONTS[:1], read_libraries(write_libraries(tmp_path)))
    spans = {voice.group: voice.span for voice in voices(orchestration, 500)}
    assert spans["one-gm:67"].low == 37
    assert spans["made-violin"] == (57, 84)


def test_only_the_instruments_that_are_asked_for_play(tmp_path: Path) -> None:
    libraries = read_libraries(write_libraries(tmp_path))
    only = ("viola", "drums", "violin")
    names = Counter(voice.instrument.name for voice in voices(Orchestration(FONTS, libraries, only), 300))
    assert set(names) == set(only)
    assert {voice.instrument.name for voice in voices(Orchestration(FONTS, libraries, ["harp"]), 50)} == {"harp"}


def test_an_instrument_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(OptionError, match=r"no instrument 'viola da gamba'; there are: piano, .*viola, .*drums"):
        Orchestration(FONTS, [], ["viola", "viola da gamba"])


def test_no_program_plays_two_instruments() -> None:
    """It would be a label at one time and another sound at the next."""
    numbers = Counter(program.number for each in (*LABELLED, *OTHERS) for program in each.programs)
    assert set(numbers.values()) == {1}


def test_no_source_and_sources_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="nothing to play with"):
        Orchestration([], [])
    with pytest.raises(DataError, match="two sound sources are called two"):
        Orchestration([FONTS[1], FONTS[1]], [])
