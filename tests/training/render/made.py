"""Made scores and made samples to render with."""

import struct
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import soundfile

from whoplays.models.signal import SAMPLE_RATE_HZ

MELODY = ("MELODY", [(beat, 1.0, 60 + step) for beat, step in enumerate((0, 4, 7, 12, 7, 4, 0, 2) * 4)])
PIANO = (
    "PIANO",
    [(beat, 2.0, key) for beat in range(0, 32, 2) for key in ((48, 52, 55) if beat % 4 == 0 else (43, 47, 50, 53))],
)
Track = tuple[str, Iterable[tuple[float, float, int]]]


def write_midi(path: Path, *tracks: Track, tempos: Iterable[tuple[float, int]] = ((0, 500_000),)) -> Path:
    """A MIDI file of tracks of (start, length, key), in beats; tempos are (beat, microseconds a beat)."""
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(_track("", [(beat, mido.MetaMessage("set_tempo", tempo=tempo)) for beat, tempo in tempos]))
    for channel, (name, notes) in enumerate(tracks):
        on = [(start, mido.Message("note_on", channel=channel, note=key)) for start, _, key in notes]
        off = [(start + length, mido.Message("note_off", channel=channel, note=key)) for start, length, key in notes]
        file.tracks.append(_track(name, [*off, *on]))
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def write_scores(folder: Path) -> Path:
    """Two songs: one of melody and chords, one of a melody alone."""
    write_midi(folder / "a.mid", MELODY, PIANO)
    write_midi(folder / "b.mid", MELODY)
    return folder


def write_samples(folder: Path, keys: Iterable[tuple[str, int]], seconds: float = 1.0) -> Path:
    """Tones of three harmonics that die away, one for each (file name's stem, key)."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    for stem, key in keys:
        pitch_hz = 440 * 2 ** ((key - 69) / 12)
        tone = sum(np.sin(2 * np.pi * pitch_hz * n * times) / n for n in (1, 2, 3)) * np.exp(-times)
        soundfile.write(folder / f"{stem}.wav", 0.2 * tone, SAMPLE_RATE_HZ)
    return folder


def write_libraries(folder: Path) -> Path:
    """A list of two libraries, a piano and a violin, with their samples."""
    write_samples(folder / "piano", [(f"C{octave}", 12 * (octave + 1)) for octave in range(2, 8)])
    write_samples(folder / "violin", [(f"violin-{p}{o}-forte", k + 12 * (o + 1)) for o in (4, 5) for p, k in _QUARTERS])
    path = folder / "samples.csv"
    path.write_text(
        "name,folder,instrument,licence,pattern\n"
        "made-piano,piano,piano,CC0,*.wav\n"
        "made-violin,violin,violin,CC0,violin-*\n"
    )
    return path


def write_soundfont(path: Path, *presets: tuple[int, int]) -> Path:
    """A soundfont that holds nothing but the headers of its presets, given as (bank, program)."""
    named = [*(struct.pack("<20sHHHIII", b"made", program, bank, 0, 0, 0, 0) for bank, program in presets)]
    headers = b"".join([*named, struct.pack("<20sHHHIII", b"EOP", 255, 255, 0, 0, 0, 0)])
    content = b"sfbk" + b"phdr" + struct.pack("<I", len(headers)) + headers
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return path


_QUARTERS = (("c", 0), ("ds", 3), ("fs", 6), ("a", 9))


def _track(name: str, events: list[tuple[float, mido.Message]]) -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for beat, message in sorted(events, key=lambda event: event[0]):
        tick = round(beat * 480)
        track.append(message.copy(time=tick - now))
        now = tick
    return track
