"""Stems: three seconds of one instrument (or of another sound), played into a room; what bands are mixed from.

Notes are strung into phrases and chords; everything is varied in pitch, tone colour and room, so that a few players
and instruments stand for many.
"""

from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch.utils.data import DataLoader, Dataset

from models.errors import DataError
from models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from training.clip import Clip
from training.library import Library
from training.networks.log_mel import FLOOR, FRAMES, MELS, MelPower

OTHER: Final = ""
"""The label of sounds that are none of the instruments."""
_OTHER_SHARE: Final = 0.25
_CHORDAL: Final = frozenset({"gac", "gel", "org", "pia"})
_BATCH: Final = 64
_TAIL_SAMPLES: Final = SAMPLE_RATE_HZ

Mono = NDArray[np.float32]
"""`float32 [132300]`."""


class Stem(NamedTuple):
    """What a stem is of."""

    label: str
    audio: Mono


class StemBank(NamedTuple):
    """Prepared stems."""

    log_power: NDArray[np.float16]
    """`float16 [stems, 148, 64]`: natural logarithm of mel power, each stem at an RMS of 1 where it sounds."""
    labels: tuple[str, ...]
    """Label of each stem; `OTHER` for other sounds."""


class Stems(Dataset[Stem]):
    """So many stems, drawn evenly over the labels, then over players: a group counts by the root of its length.

    Raises:
        DataError: nothing in `clips` is a solo or another sound.
    """

    def __init__(self, library: Library, clips: list[Clip], labels: tuple[str, ...], count: int, seed: int) -> None:
        self._library, self._count, self._seed = library, count, seed
        self._groups = _by_label_and_group(clips, labels)
        if not self._groups:
            raise DataError("no recording is of a single instrument or of another sound")
        self._weights = {label: _weights(library, groups) for label, groups in self._groups.items()}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Stem:
        rng = np.random.default_rng([self._seed, index])
        label = self._label(rng)
        groups = self._groups[label]
        clips = groups[int(rng.choice(len(groups), p=self._weights[label]))]
        audio = _phrase(self._library, clips, chordal=label in _CHORDAL, rng=rng)
        return Stem(label, _levelled(_in_room(audio, rng)))

    def _label(self, rng: np.random.Generator) -> str:
        instruments = sorted(set(self._groups) - {OTHER})
        if OTHER in self._groups and (not instruments or rng.random() < _OTHER_SHARE):
            return OTHER
        return instruments[int(rng.integers(len(instruments)))]


def prepare(stems: Stems) -> StemBank:
    """Render all stems to log mel power."""
    power = MelPower().eval()
    bank = np.empty((len(stems), FRAMES, MELS), np.float16)
    labels: list[str] = []
    loader: DataLoader[Stem] = DataLoader(stems, _BATCH, collate_fn=_collate)
    for names, audio in loader:
        with torch.inference_mode():
            log_power = torch.log(power(audio) + FLOOR)
        bank[len(labels) : len(labels) + len(names)] = log_power.numpy()
        labels += names
    return StemBank(bank, tuple(labels))


def _collate(stems: list[Stem]) -> tuple[list[str], torch.Tensor]:
    audio = torch.from_numpy(np.stack([stem.audio for stem in stems]))
    return [stem.label for stem in stems], audio[:, None].expand(-1, 2, -1)


def _by_label_and_group(clips: list[Clip], labels: tuple[str, ...]) -> dict[str, list[list[Clip]]]:
    grouped: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        if len(clip.labels) > 1 or not clip.labels <= set(labels):
            continue
        grouped[next(iter(clip.labels), OTHER)][clip.group].append(clip)
    return {label: [groups[group] for group in sorted(groups)] for label, groups in grouped.items()}


def _weights(library: Library, groups: list[list[Clip]]) -> NDArray[np.float64]:
    lengths = [sum(library.audio(clip).shape[1] for clip in clips) for clips in groups]
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
        length = max(_add(phrase, _take(library, member, rng), cursor, rng) for member in chord)
        cursor += int(length * rng.uniform(0.5, 1.1)) if clip.kind == "note" else length
        cursor += int(rng.exponential(0.02) * SAMPLE_RATE_HZ)
    return phrase


def _take(library: Library, clip: Clip, rng: np.random.Generator) -> Mono:
    """Up to a window of a clip, from anywhere in it (a note from its start), up to two semitones higher or lower."""
    audio = library.audio(clip)
    ratio = 2 ** (rng.uniform(-2, 2) / 12)
    wanted = int(WINDOW_SAMPLES * ratio) + 1
    spare = audio.shape[1] - wanted
    start = int(rng.integers(spare)) if spare > 0 and clip.kind != "note" else 0
    piece = audio[:, start : start + wanted].mean(axis=0, dtype=np.float32)
    places = np.arange(int(len(piece) / ratio)) * ratio
    return np.asarray(np.interp(places, np.arange(len(piece)), piece), np.float32)


def _add(phrase: Mono, take: Mono, cursor: int, rng: np.random.Generator) -> int:
    """Add a take at `cursor` with a level of its own, cut short at times; return its length in samples."""
    length = min(len(take), len(phrase) - cursor)
    if rng.random() < 0.5:
        length = min(length, int(rng.uniform(0.15, 1.5) * SAMPLE_RATE_HZ))
    piece = take[:length] * np.float32(10 ** (rng.uniform(-9, 0) / 20) / (np.abs(take[:length]).max(initial=0) + 1e-6))
    fade = min(length, 441)
    piece[length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    phrase[cursor : cursor + length] += piece
    return max(length, 2205)


def _in_room(audio: Mono, rng: np.random.Generator) -> Mono:
    """Tone colour and reverberation, as one filter: a smooth curve in decibels times a room's response."""
    size = fft.next_fast_len(WINDOW_SAMPLES + _TAIL_SAMPLES, real=True)
    spectrum = fft.rfft(audio, size)
    spectrum *= _tone(len(spectrum), rng)
    if rng.random() < 0.6:
        spectrum *= fft.rfft(_room_response(rng), size)
    return np.asarray(fft.irfft(spectrum, size)[:WINDOW_SAMPLES], np.float32)


def _tone(bins: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A gain for each of `bins` frequencies from 0 to half the sample rate: linear between points an octave apart."""
    knots_hz = SAMPLE_RATE_HZ / 2 ** np.arange(11, 0, -1)
    gains = 10 ** (np.cumsum(rng.normal(0, 2.5, len(knots_hz))) / 20)
    return np.asarray(np.interp(np.linspace(0, knots_hz[-1], bins), knots_hz, gains), np.float32)


def _room_response(rng: np.random.Generator) -> Mono:
    """Direct sound and an exponentially decaying tail of noise, darker as it decays (Moorer, 1979)."""
    reverberation_s = rng.uniform(0.15, 2.5)
    seconds = np.arange(min(int(reverberation_s * SAMPLE_RATE_HZ), _TAIL_SAMPLES), dtype=np.float32) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(seconds), dtype=np.float32) * np.exp(-6.9 * seconds / reverberation_s)
    tail[1:] += rng.uniform(0, 0.9) * tail[:-1]
    response = tail * np.float32(10 ** (rng.uniform(-24, -2) / 20) / np.sqrt(np.square(tail).sum()))
    response[0] = 1.0
    return response


def _levelled(audio: Mono) -> Mono:
    """Scale to an RMS of 1 over the parts that sound."""
    power = np.square(audio).reshape(-1, WINDOW_SAMPLES // 60).mean(axis=1)
    sounding = power[power > power.max() * 1e-3]
    return audio / np.float32(np.sqrt(sounding.mean()) + 1e-9) if sounding.size else audio
