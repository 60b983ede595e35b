from pathlib import Path

import numpy as np
import pytest

from tests.training.render.made import MELODY, PIANO, write_midi
from whoplays.training.render import styles
from whoplays.training.render.excerpts import Excerpt, chords, draw_excerpt
from whoplays.training.render.instruments import LABELLED, OTHERS
from whoplays.training.render.scores import KeyRange, Note, Song, fold, monophonic, read_song
from whoplays.training.render.styles import Style, drum_part

SECONDS = 7.0
EVERY = sorted(
    {style for instrument in (*LABELLED, *OTHERS) for style, _ in instrument.styles}, key=lambda i: i.__name__
)


@pytest.fixture
def song(tmp_path: Path) -> Song:
    return read_song(write_midi(tmp_path / "a.mid", MELODY, PIANO))


def excerpts(song: Song, count: int = 10) -> list[tuple[Excerpt, np.random.Generator]]:
    generators = [np.random.default_rng(seed) for seed in range(count)]
    return [(draw_excerpt([song], SECONDS, rng), rng) for rng in generators]


def sounding(notes: list[Note], at_s: float) -> int:
    return sum(note.start_s <= at_s < note.end_s for note in notes)


@pytest.mark.parametrize("style", EVERY)
def test_all_notes_are_within_the_range_and_the_excerpt(song: Song, style: Style) -> None:
    span = KeyRange(40, 81)
    for excerpt, rng in excerpts(song):
        notes = style(excerpt, span, rng)
        assert notes
        assert all(span.low <= note.key <= span.high for note in notes)
        assert all(note.length_s > 0 and 0 <= note.start_s < SECONDS + excerpt.beat_s for note in notes)


def test_the_same_chance_gives_the_same_excerpt(song: Song) -> None:
    assert draw_excerpt([song], 7.0, np.random.default_rng(1)) == draw_excerpt([song], 7.0, np.random.default_rng(1))


def test_a_song_without_chords_is_accompanied_by_its_own_line() -> None:
    line = tuple(Note(beat / 2, 0.5, 60 + beat % 5) for beat in range(40))
    excerpt = draw_excerpt([Song((line,), (), 0.5)], SECONDS, np.random.default_rng(0))
    assert excerpt.accompaniment
    assert chords(excerpt)


def test_harmony_is_told_beat_by_beat(song: Song) -> None:
    excerpt = Excerpt(list(song.lines[0]), list(song.accompaniment), song.beat_s, 4.0)
    assert [(chord.start_s, chord.length_s, chord.root) for chord in chords(excerpt)[:2]] == [
        (0.0, 0.5, 0),
        (0.5, 0.5, 7),
    ]


def test_a_line_has_one_voice(song: Song) -> None:
    for excerpt, rng in excerpts(song):
        notes = styles.line(excerpt, KeyRange(55, 93), rng)
        assert max(sounding(notes, at_s) for at_s in np.arange(0.1, SECONDS, 0.25)) <= 2
        assert monophonic(notes)


def test_a_strum_goes_over_the_strings_one_after_the_other(song: Song) -> None:
    excerpt, rng = excerpts(song, 1)[0]
    notes = styles.strum(excerpt, KeyRange(40, 81), rng)
    first = [note for note in notes if note.start_s < notes[0].start_s + 0.2][:4]
    between = np.diff([note.start_s for note in first])
    assert len(first) == 4
    assert ((between >= 0.0099) & (between <= 0.0401)).all()


def test_held_chords_sound_all_the_time(song: Song) -> None:
    excerpt, rng = excerpts(song, 1)[0]
    notes = styles.sustained_chords(excerpt, KeyRange(36, 91), rng)
    assert min(sounding(notes, at_s) for at_s in np.arange(0.5, 5, 0.1)) >= 2


@pytest.mark.parametrize(("key", "folded"), [(60, 60), (40, 64), (100, 76), (53, 65)])
def test_keys_are_folded_by_octaves(key: int, folded: int) -> None:
    assert fold(key, KeyRange(60, 80)) == folded


@pytest.mark.parametrize("seed", range(8))
def test_drums_begin_at_once_and_end_in_time(seed: int) -> None:
    notes = drum_part(SECONDS, np.random.default_rng(seed))
    assert notes[0].start_s < 1
    assert notes[-1].start_s < SECONDS
    assert all(35 <= note.key <= 81 for note in notes)
