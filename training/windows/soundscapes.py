"""Soundscapes: the audio of prepared windows; single instruments, and mixtures of them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from whoplays.training.windows.channel import Mono, Rng, panned, rms_normalised, through_channel
from whoplays.training.windows.solos import OTHER, Solo, SoloGenerator

SHARD_WINDOWS: int = 256
"""Windows made together; a quarter of them mixtures of the others."""
_LARGEST_MIX: Final = 4
_LEVEL_DB: Final = 6.0
_CHANNEL_SHARE: Final = 0.15
_PANNED_SHARE: Final = 0.5
"""Of solos; in a mixture every instrument is panned."""


class Soundscape(NamedTuple):
    """One window, as audio."""

    kind: str
    """`solo`: one instrument or another sound; `mix`: several."""
    labels: frozenset[str]
    groups: frozenset[str]
    """Whose recordings it is made of: a run that may not use one of them may not use it."""
    audio: Mono
    """At an RMS of 1 where it sounds."""


def draw_soundscapes(solos: SoloGenerator, seed: int, number: int) -> list[Soundscape]:
    """The windows of one shard: the same numbers give the same audio."""
    rng = np.random.default_rng([seed, number])
    quarter = SHARD_WINDOWS // 4
    drawn = [solos.draw(rng) for _ in range(3 * quarter)]
    return [*(_solo(solo, rng) for solo in drawn), *(_mix(drawn, rng) for _ in range(quarter))]


def _solo(solo: Solo, rng: Rng) -> Soundscape:
    audio = rms_normalised(panned(solo.audio, rng)) if rng.random() < _PANNED_SHARE else solo.audio
    audio = through_channel(audio, rng) if rng.random() < _CHANNEL_SHARE else audio
    return Soundscape("solo", _labels([solo]), frozenset({solo.group}), audio)


def _mix(solos: Sequence[Solo], rng: Rng) -> Soundscape:
    """Two to four solos, each panned, as one recording."""
    size = int(rng.integers(2, _LARGEST_MIX + 1))
    parts = [solos[k] for k in rng.choice(len(solos), size=min(size, len(solos)), replace=False)]
    gains = [np.float32(10 ** (rng.uniform(-_LEVEL_DB, _LEVEL_DB) / 20)) for _ in parts]
    placed = (panned(part.audio, rng) * gain for part, gain in zip(parts, gains, strict=True))
    audio = sum(placed, np.zeros_like(parts[0].audio))
    return Soundscape("mix", _labels(parts), frozenset(part.group for part in parts), through_channel(audio, rng))


def _labels(solos: Sequence[Solo]) -> frozenset[str]:
    return frozenset(solo.label for solo in solos) - {OTHER}
