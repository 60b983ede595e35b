"""Soundscapes: the audio of a bank's windows; single stems, true mixes of them, and unlabelled music."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.data.music import Music
from whoplays.training.windows.channel import reproduced
from whoplays.training.windows.solos import OTHER, Mono, Stem, Stems, levelled
from whoplays.training.windows.stereo import placed

SHARD_WINDOWS: int = 256
"""Windows made together; a quarter of them mixes of the others, and a quarter music where there is some.

All of them are music where there are no corpora.
"""
_LARGEST_MIX: Final = 4
_LEVEL_DB: Final = 6.0
_REPRODUCED: Final = 0.3
_PLACED: Final = 0.5
"""Of solos; players of a mix all have a place."""
_HEARD_RMS: Final = 0.1

Rng = np.random.Generator


class Soundscape(NamedTuple):
    """One window of a bank, as audio."""

    kind: str
    """`solo`: one instrument or another sound; `mix`: several; `music`: unlabelled."""
    labels: frozenset[str]
    groups: frozenset[str]
    """Whose recordings it is made of: whoever may not hear one of them may not hear it."""
    audio: Mono
    """At an RMS of 1 where it sounds."""


def shard(stems: Stems | None, music: Music | None, seed: int, number: int) -> list[Soundscape]:
    """The windows of one shard, of stems, music or both: the same numbers give the same audio.

    Raises:
        DataError: there are neither.
    """
    rng = np.random.default_rng([seed, number])
    if stems is None:
        return [_unlabelled(_needed(music), rng) for _ in range(SHARD_WINDOWS)]
    quarter = SHARD_WINDOWS // 4
    drawn = [stems.draw(rng) for _ in range(2 * quarter if music else 3 * quarter)]
    scapes = [_solo(stem, rng) for stem in drawn]
    scapes += [_mix(drawn, rng) for _ in range(quarter)]
    if music:
        scapes += [_unlabelled(music, rng) for _ in range(quarter)]
    return scapes


def _needed(music: Music | None) -> Music:
    if music is None:
        raise DataError("a bank is made from corpora or from music, and there are neither")
    return music


def _solo(stem: Stem, rng: Rng) -> Soundscape:
    audio = levelled(placed(stem.audio, rng)) if rng.random() < _PLACED else stem.audio
    audio = reproduced(audio, rng) if rng.random() < _REPRODUCED else audio
    return Soundscape("solo", _labels([stem]), frozenset({stem.group}), audio)


def _mix(stems: Sequence[Stem], rng: Rng) -> Soundscape:
    """Two to four stems, each in its place, as one recording."""
    size = int(rng.integers(2, _LARGEST_MIX + 1))
    parts = [stems[k] for k in rng.choice(len(stems), size=min(size, len(stems)), replace=False)]
    gains = [np.float32(10 ** (rng.uniform(-_LEVEL_DB, _LEVEL_DB) / 20)) for _ in parts]
    heard = (placed(part.audio, rng) * gain for part, gain in zip(parts, gains, strict=True))
    audio = sum(heard, np.zeros_like(parts[0].audio))
    return Soundscape("mix", _labels(parts), frozenset(part.group for part in parts), reproduced(audio, rng))


def _unlabelled(music: Music, rng: Rng) -> Soundscape:
    return Soundscape("music", frozenset(), frozenset(), reproduced(levelled(music.draw(rng)), rng))


def _labels(stems: Sequence[Stem]) -> frozenset[str]:
    return frozenset(stem.label for stem in stems) - {OTHER}


def as_heard(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows as loud as teachers expect them, `float32 [windows, 132300]`."""
    return audio * np.float32(_HEARD_RMS)
