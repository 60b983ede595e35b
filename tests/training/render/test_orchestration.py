from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.training.render.made import write_libraries, write_soundfont
from whoplays.models.errors import DataError, OptionError
from whoplays.models.labels import NAMES, known_label
from whoplays.training.render.instruments import LABELLED, OTHERS, Instrument
from whoplays.training.render.orchestration import Orchestration, Soundfont, Voice
from whoplays.training.render.sample_library import read_libraries

VARIATIONS = ((8, 24), (16, 25))
"""Banks and programs of the ukulele and the mandolin, which not every soundfont has."""


@pytest.fixture
def fonts(tmp_path: Path) -> list[Soundfont]:
    """Two soundfonts; only the first has variations."""
    paths = [write_soundfont(tmp_path / "One GM.sf2", *VARIATIONS), write_soundfont(tmp_path / "two.sf2")]
    return [Soundfont(path, "MIT") for path in paths]


def voices(orchestration: Orchestration, count: int) -> list[Voice]:
    return [orchestration.voice(number, np.random.default_rng(number)) for number in range(count)]


def test_every_label_has_its_share_and_every_source_of_it(fonts: list[Soundfont], tmp_path: Path) -> None:
    orchestration = Orchestration(fonts, read_libraries(write_libraries(tmp_path)))
    heard = Counter((voice.instrument.label, voice.source.name) for voice in voices(orchestration, 36 * 12))
    labels = Counter(label for label, _ in heard.elements())
    assert set(labels) == {*NAMES, ""}
    assert labels["flute"] == labels["drums"] == 24
    assert labels["piano"] == 24
    assert labels["trombone"] == 12
    assert labels[""] / labels.total() == pytest.approx(7 / 36)
    assert {heard["piano", name] for name in ("one-gm", "two", "made-piano")} == {8}


def test_a_group_is_a_program_of_a_soundfont_or_a_library(fonts: list[Soundfont], tmp_path: Path) -> None:
    orchestration = Orchestration(fonts, read_libraries(write_libraries(tmp_path)))
    groups = {voice.group for voice in voices(orchestration, 1000)}
    assert {"one-gm:40", "two:73", "one-gm:drums", "made-violin"} <= groups


def test_what_no_source_plays_is_left_out(tmp_path: Path) -> None:
    orchestration = Orchestration([], read_libraries(write_libraries(tmp_path)))
    assert {voice.instrument.name for voice in voices(orchestration, 50)} == {"piano", "violin"}


def test_the_range_is_that_of_the_program_or_of_the_samples(fonts: list[Soundfont], tmp_path: Path) -> None:
    orchestration = Orchestration(fonts[:1], read_libraries(write_libraries(tmp_path)))
    spans = {voice.group: voice.span for voice in voices(orchestration, 500)}
    assert spans["one-gm:67"].low == 37
    assert spans["made-violin"] == (57, 84)


def test_only_the_instruments_that_are_asked_for_play(fonts: list[Soundfont], tmp_path: Path) -> None:
    libraries = read_libraries(write_libraries(tmp_path))
    only = ("viola", "drums", "violin")
    names = Counter(voice.instrument.name for voice in voices(Orchestration(fonts, libraries, only), 300))
    assert set(names) == set(only)
    assert {voice.instrument.name for voice in voices(Orchestration(fonts, libraries, ["harp"]), 50)} == {"harp"}


def test_an_instrument_that_is_none_is_named_with_those_that_are(fonts: list[Soundfont]) -> None:
    with pytest.raises(OptionError, match=r"no instrument 'viola da gamba'; there are: piano, .*viola, .*drums"):
        Orchestration(fonts, [], ["viola", "viola da gamba"])


def test_a_variation_is_played_by_the_soundfonts_that_have_it(fonts: list[Soundfont], tmp_path: Path) -> None:
    ukuleles = voices(Orchestration(fonts, [], ["ukulele", "mandolin"]), 20)
    assert {(voice.group, voice.bank) for voice in ukuleles} == {("one-gm:8/24", 8), ("one-gm:16/25", 16)}
    with pytest.raises(DataError, match="nothing to play with"):
        Orchestration(fonts[1:], [], ["ukulele"])
    (tmp_path / "cut.sf2").write_bytes((tmp_path / "One GM.sf2").read_bytes()[:-60])
    with pytest.raises(DataError, match="has no list of presets"):
        Orchestration([Soundfont(tmp_path / "cut.sf2", "MIT")], [], ["ukulele"])


def test_no_program_plays_two_instruments() -> None:
    """It would be a label at one time and another sound at the next."""
    numbers = Counter((program.bank, program.number) for each in (*LABELLED, *OTHERS) for program in each.programs)
    assert set(numbers.values()) == {1}


def test_no_source_and_sources_of_one_name_are_refused(fonts: list[Soundfont]) -> None:
    with pytest.raises(DataError, match="nothing to play with"):
        Orchestration([], [])
    with pytest.raises(DataError, match="two sound sources are called two"):
        Orchestration([fonts[1], fonts[1]], [])


@pytest.mark.parametrize("instrument", LABELLED, ids=lambda each: each.name)
def test_instruments_are_played_by_the_programs_of_their_labels(instrument: Instrument) -> None:
    known = known_label(instrument.label)
    assert known is not None
    # A violin is also played by tremolo strings, which in others' scores stand for no label.
    assert set(known.programs) <= {program.number for program in instrument.programs if not program.bank}
