"""Solos: three seconds of one instrument (or of another sound) in a room; what mixtures are made of.

Notes are strung into phrases and chords; everything is varied in pitch, tone colour and room, so that a few players
and instruments stand for many.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.impulse_responses import synthetic_response
from whoplays.training.data.library import Library
from whoplays.training.windows.channel import Mono, rms_normalised

OTHER: Final = ""
"""The label of sounds that are none of the instruments."""
_OTHER_SHARE: Final = 0.3
CORE_WEIGHT: Final = 1.5
"""How much more often a core label is drawn than another."""
_DRY: Final = 0.65
"""How often no room is added: most recordings have one."""
_MEASURED_ROOMS: Final = 0.3
_TONE_DB: Final = 2.0
_NOTES_CUT: Final = 0.5
_PHRASES_CUT: Final = 0.15
_CHORDAL: Final = frozenset(
    {"acoustic guitar", "electric guitar", "organ", "piano", "accordion", "banjo", "mandolin", "ukulele", "synthesizer"}
)
_TAIL_SAMPLES: Final = SAMPLE_RATE_HZ


class Solo(NamedTuple):
    """Three seconds of one instrument, or of another sound."""

    label: str
    group: str
    audio: Mono
    """At an RMS of 1 where it sounds."""


class SoloGenerator:
    """Solos, drawn evenly over the labels, then over the corpora, then over players.

    Within a corpus a group counts by the root of its length.

    Args:
        corpora: the clips of each corpus; solos and other sounds are used.
        rooms: measured impulse responses, `float32 [samples]` each; rooms are made up as well.

    Raises:
        DataError: nothing in `corpora` is a solo or another sound.
    """

    def __init__(
        self, library: Library, corpora: Sequence[Sequence[Clip]], labels: tuple[str, ...], rooms: Sequence[Mono] = ()
    ) -> None:
        self._library, self._rooms = library, rooms
        self._players: dict[str, list[_Players]] = defaultdict(list)
        for clips in corpora:
            for label, groups in _by_label_and_group(clips, labels).items():
                self._players[label].append(_Players(groups, _weights(library, groups)))
        if not self._players:
            raise DataError("no recording is of a single instrument or of another sound")
        self._instruments = sorted(set(self._players) - {OTHER})

    def draw(self, rng: np.random.Generator) -> Solo:
        """One solo; the generator decides everything about it."""
        label = self._label(rng)
        corpora = self._players[label]
        players = corpora[int(rng.integers(len(corpora)))]
        clips = players.groups[int(rng.choice(len(players.groups), p=players.weights))]
        audio = _phrase(self._library, clips, chordal=label in _CHORDAL, rng=rng)
        return Solo(label, clips[0].group, rms_normalised(_in_room(audio, self._room(rng), rng)))

    def _label(self, rng: np.random.Generator) -> str:
        if OTHER in self._players and (not self._instruments or rng.random() < _OTHER_SHARE):
            return OTHER
        return str(rng.choice(self._instruments, p=shares(self._instruments)))

    def _room(self, rng: np.random.Generator) -> Mono | None:
        if rng.random() < _DRY:
            return None
        if self._rooms and rng.random() < _MEASURED_ROOMS:
            return self._rooms[int(rng.integers(len(self._rooms)))]
        return synthetic_response(rng, _TAIL_SAMPLES)


class _Players(NamedTuple):
    """Those of one corpus who play one instrument."""

    groups: list[list[Clip]]
    weights: NDArray[np.float64]


def shares(labels: Sequence[str]) -> NDArray[np.float64]:
    """How likely each label is drawn, `[labels]`."""
    weights = np.array([CORE_WEIGHT if label in CORE else 1.0 for label in labels])
    return np.asarray(weights / weights.sum())


def _by_label_and_group(clips: Sequence[Clip], labels: tuple[str, ...]) -> dict[str, list[list[Clip]]]:
    grouped: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        if len(clip.labels) > 1 or not clip.labels <= set(labels):
            continue
        grouped[next(iter(clip.labels), OTHER)][clip.group].append(clip)
    return {label: [groups[group] for group in sorted(groups)] for label, groups in grouped.items()}


def _weights(library: Library, groups: list[list[Clip]]) -> NDArray[np.float64]:
    lengths = [sum(library.active_audio(clip).shape[1] for clip in clips) for clips in groups]
    roots = np.sqrt(np.asarray(lengths, np.float64))
    return np.asarray(roots / roots.sum())


def _phrase(library: Library, clips: list[Clip], *, chordal: bool, rng: np.random.Generator) -> Mono:
    """Fill a window with takes from one group, one after the other; chords where the instrument plays them."""
    phrase = np.zeros(WINDOW_SAMPLES, np.float32)
    cursor = 0
    while cursor < WINDOW_SAMPLES:
        clip = clips[int(rng.integers(len(clips)))]
        voices = int(rng.integers(1, 5)) if chordal and clip.kind == "note" else 1
        chord = [clip, *(clips[int(rng.integers(len(clips)))] for _ in range(voices - 1))]
        cut_short = rng.random() < (_NOTES_CUT if clip.kind == "note" else _PHRASES_CUT)
        length = max(_add(phrase, _take(library, member, rng), cursor, rng, cut_short=cut_short) for member in chord)
        cursor += int(length * rng.uniform(0.5, 1.1)) if clip.kind == "note" else length
        cursor += int(rng.exponential(0.02) * SAMPLE_RATE_HZ)
    return phrase


def _take(library: Library, clip: Clip, rng: np.random.Generator) -> Mono:
    """Up to a window of a clip, from anywhere in it (a note from its start), up to two semitones higher or lower."""
    audio = library.active_audio(clip)
    ratio = 2 ** (rng.uniform(-2, 2) / 12)
    wanted = int(WINDOW_SAMPLES * ratio) + 1
    spare = audio.shape[1] - wanted
    start = int(rng.integers(spare)) if spare > 0 and clip.kind != "note" else 0
    piece = audio[:, start : start + wanted].mean(axis=0, dtype=np.float32)
    places = np.arange(int(len(piece) / ratio)) * ratio
    return np.asarray(np.interp(places, np.arange(len(piece)), piece), np.float32)


def _add(phrase: Mono, take: Mono, cursor: int, rng: np.random.Generator, *, cut_short: bool) -> int:
    """Add a take at `cursor` with a level of its own; return its length in samples."""
    length = min(len(take), len(phrase) - cursor)
    if cut_short:
        length = min(length, int(rng.uniform(0.15, 1.5) * SAMPLE_RATE_HZ))
    piece = take[:length] * np.float32(10 ** (rng.uniform(-9, 0) / 20) / (np.abs(take[:length]).max(initial=0) + 1e-6))
    fade = min(length, 441)
    piece[length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    phrase[cursor : cursor + length] += piece
    return max(length, 2205)


def _in_room(audio: Mono, room: Mono | None, rng: np.random.Generator) -> Mono:
    """Tone colour and reverberation, as one filter: a smooth curve in decibels times a room's response."""
    size = fft.next_fast_len(WINDOW_SAMPLES + _TAIL_SAMPLES, real=True)
    spectrum = fft.rfft(audio, size)
    spectrum *= _tone(len(spectrum), rng)
    if room is not None:
        spectrum *= fft.rfft(room[:_TAIL_SAMPLES], size)
    return np.asarray(fft.irfft(spectrum, size)[:WINDOW_SAMPLES], np.float32)


def _tone(bins: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A gain for each of `bins` frequencies from 0 to half the sample rate: linear between points an octave apart."""
    knots_hz = SAMPLE_RATE_HZ / 2 ** np.arange(11, 0, -1)
    gains = 10 ** (rng.normal(0, _TONE_DB, len(knots_hz)) / 20)
    return np.asarray(np.interp(np.linspace(0, knots_hz[-1], bins), knots_hz, gains), np.float32)
