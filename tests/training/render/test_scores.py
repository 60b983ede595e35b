from pathlib import Path

import mido
import pytest

from tests.training.render.made import MELODY, PIANO, write_midi, write_scores
from whoplays.models.errors import DataError
from whoplays.training.render.scores import Note, read_scores, read_song


def test_a_melody_is_a_line_and_chords_are_the_accompaniment(tmp_path: Path) -> None:
    song = read_song(write_midi(tmp_path / "a.mid", MELODY, PIANO))
    assert len(song.lines) == 1
    assert song.lines[0][0] == Note(0.0, 0.5, 60, 64)
    assert {note.key for note in song.accompaniment} == {43, 47, 48, 50, 52, 53, 55}
    assert song.beat_s == 0.5


def test_time_follows_every_change_of_tempo(tmp_path: Path) -> None:
    track = ("", [(0, 1, 60), (1, 1, 62), (2, 2, 64)])
    song = read_song(write_midi(tmp_path / "a.mid", track, tempos=((0, 500_000), (1, 1_000_000), (3, 250_000))))
    assert [(note.start_s, note.length_s) for note in song.lines[0]] == [(0.0, 0.5), (0.5, 1.0), (1.5, 1.25)]


def test_what_is_damaged_is_named_and_left_out(tmp_path: Path) -> None:
    write_scores(tmp_path)
    (tmp_path / "c.mid").write_bytes(b"MThd no more")
    (tmp_path / "d.mid").write_bytes(b"")
    write_midi(tmp_path / "e.mid", PIANO)
    songs, skipped = read_scores([tmp_path])
    assert len(songs) == 2
    assert [Path(line.split()[0]).name for line in skipped] == ["c.mid", "d.mid", "e.mid"]
    assert skipped[1].endswith("d.mid cannot be read as a MIDI file: it ends too soon")


def test_a_score_in_no_key_or_without_beats_is_damaged_too(tmp_path: Path) -> None:
    good = write_midi(tmp_path / "a.mid", MELODY).read_bytes()
    odd = mido.MidiFile(type=1, tracks=[mido.MidiTrack([mido.MetaMessage("key_signature", key="C")])])
    odd.save(tmp_path / "key.mid")
    written = (tmp_path / "key.mid").read_bytes()
    (tmp_path / "key.mid").write_bytes(written.replace(b"\xff\x59\x02\0", b"\xff\x59\x02\x09"))
    (tmp_path / "time.mid").write_bytes(good[:12] + b"\0\0" + good[14:])
    songs, skipped = read_scores([tmp_path])
    assert len(songs) == 1
    assert [Path(line.split()[0]).name for line in skipped] == ["key.mid", "time.mid"]


def test_names_in_capitals_are_scores(tmp_path: Path) -> None:
    write_midi(tmp_path / "A.MID", MELODY)
    assert len(read_scores([tmp_path]).songs) == 1


def test_a_folder_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="MIDI score not found in"):
        read_scores([tmp_path])
