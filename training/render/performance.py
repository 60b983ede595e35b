"""Performances: notes as a player would play them, with what bends and swells them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.render.instruments import Instrument
from whoplays.training.render.scores import Note

STEP_S: Final = 0.02
"""How far apart the points of the curves are."""


class Performance(NamedTuple):
    """What a renderer plays."""

    notes: list[Note]
    cents: NDArray[np.float32]
    """`float32 [points]`: how far everything is bent, every 20 ms."""
    loudness: NDArray[np.float32]
    """`float32 [points]` in (0, 1]: a factor on everything, every 20 ms."""
    seconds: float
    """How long the clip is; tones that sound longer are faded out."""


def perform(notes: list[Note], instrument: Instrument, seconds: float, rng: np.random.Generator) -> Performance:
    """Vary timing, dynamics and pitch.

    Timing: each note by some milliseconds. Dynamics: a level for the clip from soft to loud, a slow wave and some
    chance for each note, and a swell where the instrument can. Pitch: up to 30 cents for the clip, and vibrato where
    the instrument can.
    """
    points = int(np.ceil(seconds / STEP_S)) + 1
    cents = np.full(points, rng.uniform(-30, 30), np.float32)
    loudness = np.ones(points, np.float32)
    played = _retriggered(_dynamics(_timing(notes, rng), seconds, rng))
    if instrument.bends:
        cents += _vibrato(played, points, rng)
        loudness *= _swells(points, rng)
    return Performance(played, cents, loudness, seconds)


def _timing(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    spread_s = float(rng.uniform(0.002, 0.018))
    late = np.clip(rng.normal(0, spread_s, len(notes)), -0.04, 0.04)
    longer = np.clip(rng.normal(1, 0.06, len(notes)), 0.8, 1.2)
    moved = (
        note._replace(start_s=max(0.0, note.start_s + float(by)), length_s=max(0.05, note.length_s * float(factor)))
        for note, by, factor in zip(notes, late, longer, strict=True)
    )
    return sorted(moved)


def _retriggered(notes: list[Note]) -> list[Note]:
    """A key that is struck again is let go just before."""
    following: dict[int, float] = {}
    played = []
    for note in reversed(notes):
        again = following.get(note.key, np.inf)
        following[note.key] = note.start_s
        if again - note.start_s > 0.02:
            played.append(note._replace(length_s=min(note.length_s, again - note.start_s - 0.005)))
    return played[::-1]


def _dynamics(notes: list[Note], seconds: float, rng: np.random.Generator) -> list[Note]:
    level = float(rng.uniform(35, 112))
    depth = float(rng.uniform(0, 18))
    phase, turns = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.5)
    chance = rng.normal(0, float(rng.uniform(2, 9)), len(notes))
    accent = 0.5
    return [
        note._replace(
            velocity=_velocity(
                level
                + depth * np.sin(phase + 2 * np.pi * turns * note.start_s / seconds)
                + accent * (note.velocity - 80)
                + by
            )
        )
        for note, by in zip(notes, chance, strict=True)
    ]


def _velocity(value: float) -> int:
    return int(np.clip(round(value), 12, 127))


def _vibrato(notes: list[Note], points: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Vibrato that sets in after each note's beginning; a third of clips have none."""
    if rng.random() < 0.33:
        return np.zeros(points, np.float32)
    depth, rate_hz = float(rng.uniform(6, 35)), float(rng.uniform(4.5, 6.8))
    delay_s, rise_s = float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.1, 0.5))
    times = np.arange(points) * STEP_S
    starts = np.array([0.0, *(note.start_s for note in notes)])
    since = times - starts[np.searchsorted(starts, times, side="right") - 1]
    drift = np.cumsum(rng.normal(0, 0.05, points))
    wave = np.sin(2 * np.pi * rate_hz * times + drift)
    bent: NDArray[np.float32] = (depth * np.clip((since - delay_s) / rise_s, 0, 1) * wave).astype(np.float32)
    return bent


def _swells(points: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A slow rise and fall of up to 10 dB; half of the clips have none."""
    if rng.random() < 0.5:
        return np.ones(points, np.float32)
    corners = np.linspace(0, points - 1, int(rng.integers(3, 7)))
    decibels = np.interp(np.arange(points), corners, rng.uniform(-10, 0, len(corners)))
    gain: NDArray[np.float32] = (10 ** (decibels / 20)).astype(np.float32)
    return gain
