import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.render.made import write_libraries, write_samples
from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.render.instruments import BY_NAME
from whoplays.training.render.performance import STEP_S, Performance
from whoplays.training.render.sample_library import LoadedSamples, SampleLibrary, read_libraries
from whoplays.training.render.sampler import play_samples
from whoplays.training.render.scores import KeyRange, Note

SECONDS = 2.0
POINTS = round(SECONDS / STEP_S) + 1


def library(folder: Path, *keys: tuple[str, int], octaves: int = 0) -> SampleLibrary:
    write_samples(folder, keys)
    return SampleLibrary("made", folder, BY_NAME["violin"], "CC0", "made", octaves=octaves)


def play(sampled: LoadedSamples, *notes: Note, cents: float = 0, gain: float = 1) -> NDArray[np.float32]:
    performance = Performance(
        list(notes), np.full(POINTS, cents, np.float32), np.full(POINTS, gain, np.float32), SECONDS
    )
    audio: NDArray[np.float32] = play_samples(sampled, performance, 0.1, np.random.default_rng(0))[0]
    return audio


def pitch_hz(audio: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(audio.size), 1 << 18))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / (1 << 18))


@pytest.mark.parametrize(("key", "cents"), [(69, 0), (72, 0), (66, 0), (69, 30), (70, -30)])
def test_a_note_has_the_pitch_it_should(tmp_path: Path, key: int, cents: float) -> None:
    sampled = LoadedSamples(library(tmp_path, ("A4", 69)))
    audio = play(sampled, Note(0, 1.0, key), cents=cents)
    assert pitch_hz(audio) == pytest.approx(440 * 2 ** ((key - 69) / 12 + cents / 1200), rel=2e-3)


def test_a_note_begins_and_ends_when_it_should(tmp_path: Path) -> None:
    audio = play(LoadedSamples(library(tmp_path, ("A4", 69))), Note(0.5, 0.4, 69))
    loud = np.flatnonzero(np.abs(audio) > 1e-3) / SAMPLE_RATE_HZ
    assert loud[0] == pytest.approx(0.5, abs=0.01)
    assert 0.9 < loud[-1] < 1.0


def test_a_sample_that_is_too_short_ends_softly(tmp_path: Path) -> None:
    audio = play(LoadedSamples(library(tmp_path, ("A4", 69))), Note(0, 1.9, 69))
    assert np.abs(np.diff(audio)).max() < 0.1
    assert not audio[round(1.05 * SAMPLE_RATE_HZ) :].any()


def test_notes_too_far_from_any_sample_are_left_out(tmp_path: Path) -> None:
    sampled = LoadedSamples(library(tmp_path, ("A4", 69)))
    assert not play(sampled, Note(0, 1.0, 73), Note(0, 1.0, 65)).any()


def test_soft_is_quieter_and_duller(tmp_path: Path) -> None:
    sampled = LoadedSamples(library(tmp_path, ("A4", 69)))
    soft, loud = (play(sampled, Note(0, 1.0, 69, velocity)) for velocity in (30, 120))
    assert np.abs(soft).max() < 0.3 * np.abs(loud).max()
    brightness = [np.abs(np.diff(tone)).max() / np.abs(tone).max() for tone in (soft, loud)]
    assert brightness[0] < brightness[1]


def test_swells_are_heard(tmp_path: Path) -> None:
    sampled = LoadedSamples(library(tmp_path, ("A4", 69)))
    note = Note(0, 1.0, 69)
    np.testing.assert_allclose(play(sampled, note, gain=0.5), 0.5 * play(sampled, note), atol=1e-6)


def test_the_loudness_that_a_name_tells_is_preferred(tmp_path: Path) -> None:
    sampled = LoadedSamples(library(tmp_path, ("a4-pianissimo", 69), ("a4-fortissimo", 69)))
    rng = np.random.default_rng(0)
    chosen = [sampled.nearest(69, 0.5, velocity, rng) for velocity in (10, 120)]
    assert [sample.dynamic for sample in chosen if sample] == [0.1, 0.95]


def test_a_span_ends_three_semitones_past_the_samples(tmp_path: Path) -> None:
    assert library(tmp_path, ("A3", 57), ("A4", 69)).span() == KeyRange(55, 72)
    assert library(tmp_path, octaves=1).span() == KeyRange(66, 84)


def test_a_list_of_libraries_is_read(tmp_path: Path) -> None:
    piano, violin = read_libraries(write_libraries(tmp_path))
    assert (piano.name, piano.group, piano.instrument.label) == ("made-piano", "made-piano", "piano")
    assert len(violin.files()) == 8
    assert violin.files()[0] == (tmp_path / "violin" / "violin-a4-forte.wav", 69)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,folder\n", "lacks the columns instrument, licence"),
        ("name,folder,instrument,licence\nx,.,kazoo,CC0\n", "unknown instrument 'kazoo'"),
        ("name,folder,instrument,licence\nx,nowhere,violin,CC0\n", "nowhere is not a folder"),
        ("name,folder,instrument,licence,octaves\nx,.,violin,CC0,some\n", "octaves must be a whole number, not 'some'"),
        ("name,folder,instrument,licence,pattern\nx,.,violin,CC0,/abs*\n", "samples.csv, x: pattern .* not '/abs\\*'"),
        ("name,folder,instrument,licence,pattern\nx,.,violin,CC0,.\n", "samples.csv, x: pattern .* not '.'"),
        pytest.param(
            "name,folder,instrument,licence,pattern\nx,.,violin,CC0,a**b\n",
            r"samples.csv, x: pattern must be one of files below .*, such as \*.wav, not 'a\*\*b'",
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="there it is the same as a*b"),
        ),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_libraries(path)


def test_a_folder_without_notes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whose name gives a pitch"):
        library(tmp_path).span()
    with pytest.raises(DataError, match="too few of a violin's"):
        library(tmp_path, ("A4", 69)).span()
    (tmp_path / "A4.wav").write_bytes(b"no sound")
    with pytest.raises(DataError, match="no note that can be read"):
        LoadedSamples(library(tmp_path))
