"""Scores: notes, and MIDI files as lines and an accompaniment."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import mido
import numpy as np
from mido.midifiles.meta import KeySignatureError

from whoplays.models.errors import DataError
from whoplays.training.files import reason

_SUFFIXES: Final = frozenset({".mid", ".midi"})
_DRUM_CHANNEL: Final = 9
_LONGEST_NOTE_S: Final = 6.0
_DEFAULT_TEMPO: Final = 500_000
_FAR: Final = 1 << 30


class Note(NamedTuple):
    """One note."""

    start_s: float
    length_s: float
    key: int
    """MIDI key number: 60 is middle C, 69 is 440 Hz."""
    velocity: int = 80
    """1 (softest) to 127 (loudest)."""

    @property
    def end_s(self) -> float:
        """When it is let go."""
        return self.start_s + self.length_s


class KeyRange(NamedTuple):
    """The lowest and the highest key that an instrument plays."""

    low: int
    high: int


class Song(NamedTuple):
    """A score, in seconds."""

    lines: tuple[tuple[Note, ...], ...]
    """Melodies, one voice each."""
    accompaniment: tuple[Note, ...]
    """Everything in chords; empty if the score has none."""
    beat_s: float
    """A quarter note at the score's first tempo."""


class SongCollection(NamedTuple):
    """The songs found, and for each file that cannot be used a line that names it and says why."""

    songs: list[Song]
    skipped: list[str]


def read_scores(folders: Iterable[Path]) -> SongCollection:
    """Read every MIDI file under the folders, in a stable order.

    Raises:
        DataError: there is no usable score.
    """
    songs: list[Song] = []
    skipped: list[str] = []
    names = [str(folder) for folder in folders]
    found = (path for name in names for path in sorted(Path(name).rglob("*")))
    for path in (path for path in found if path.suffix.lower() in _SUFFIXES):
        try:
            songs.append(read_song(path))
        except DataError as error:
            skipped.append(str(error))
    if not songs:
        raise DataError(f"MIDI score not found in {', '.join(names)}")
    return SongCollection(songs, skipped)


def read_song(path: Path) -> Song:
    """Read one MIDI file; tracks of one voice are lines, the others and any named PIANO the accompaniment.

    Raises:
        DataError: it is damaged, or holds no line.
    """
    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, KeyError, IndexError, KeySignatureError) as error:
        why = "it ends too soon" if isinstance(error, EOFError) else reason(error)
        raise DataError(f"{path} cannot be read as a MIDI file: {why}") from error
    if file.ticks_per_beat <= 0:
        raise DataError(f"{path} counts time in SMPTE frames, not in beats")
    tempo_map = _TempoMap(file)
    lines: list[tuple[Note, ...]] = []
    accompaniment: list[Note] = []
    for track in file.tracks:
        notes = _notes(track, tempo_map)
        if not notes:
            continue
        if track.name.strip().upper() == "PIANO" or _voices(notes) > 1.2:
            accompaniment.extend(notes)
        else:
            lines.append(tuple(notes))
    if not lines:
        raise DataError(f"{path} holds no melody")
    return Song(tuple(lines), tuple(sorted(accompaniment)), tempo_map.beat_s)


def transposed(notes: Iterable[Note], keys: int) -> list[Note]:
    """All notes moved up by so many keys (down if negative)."""
    return [note._replace(key=note.key + keys) for note in notes]


def monophonic(notes: Iterable[Note]) -> list[Note]:
    """The top line: of notes that start within 30 ms the highest, each let go when the next begins."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start_s, -note.key)):
        if line and note.start_s - line[-1].start_s < 0.03:
            continue
        if line and line[-1].end_s > note.start_s:
            line[-1] = line[-1]._replace(length_s=note.start_s - line[-1].start_s)
        line.append(note)
    return line


def fold(key: int, span: KeyRange) -> int:
    """The key moved by octaves into the range; one that fits in no octave is cut to the nearest end."""
    while key < span.low:
        key += 12
    while key > span.high:
        key -= 12
    return max(key, span.low)


class _TempoMap:
    """A file's ticks in seconds, through all its changes of tempo."""

    def __init__(self, file: mido.MidiFile) -> None:
        changes = {0: _DEFAULT_TEMPO}
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    changes[tick] = message.tempo
        self._ticks = np.array([*sorted(changes), _FAR], np.float64)
        tempos = np.array([changes[tick] for tick in sorted(changes)], np.float64)
        per_tick = tempos / 1e6 / file.ticks_per_beat
        self._seconds = np.concatenate([[0.0], np.cumsum(np.diff(self._ticks) * per_tick)])
        self.beat_s = float(tempos[0] / 1e6)

    def seconds(self, tick: int) -> float:
        """The time of a tick."""
        return float(np.interp(tick, self._ticks, self._seconds))


def _notes(track: mido.MidiTrack, tempo_map: _TempoMap) -> list[Note]:
    sounding: dict[int, tuple[float, int]] = {}
    notes: list[Note] = []
    tick = 0
    for message in track:
        tick += message.time
        if message.type not in {"note_on", "note_off"} or message.channel == _DRUM_CHANNEL:
            continue
        now = tempo_map.seconds(tick)
        if message.note in sounding:
            start, velocity = sounding.pop(message.note)
            if now > start:
                notes.append(Note(start, min(now - start, _LONGEST_NOTE_S), message.note, velocity))
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = (now, message.velocity)
    return sorted(notes)


def _voices(notes: list[Note]) -> float:
    """How many notes sound at once, on average over the time in which any does."""
    covered, end = 0.0, 0.0
    for note in notes:
        covered += max(0.0, note.end_s - max(end, note.start_s))
        end = max(end, note.end_s)
    return sum(note.length_s for note in notes) / max(covered, 1e-6)
