"""The sampler: performances played with a library's samples, bent and let go as a player would."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.render.performance import STEP_S, Performance
from whoplays.training.render.sample_library import LoadedSamples, Sample
from whoplays.training.render.scores import Note

_SOFTEST_DB: Final = -26.0
_ATTACK_S: Final = 0.003


def play_samples(
    sampled: LoadedSamples, performance: Performance, release_s: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Render a performance, `float32 [1, samples]` at any level.

    Notes further than three semitones from every sample are left out.

    Args:
        sampled: The notes to play with.
        performance: What to play.
        release_s: How long a tone dies away once let go.
        rng: Chooses among samples that suit equally.
    """
    audio = np.zeros(round(performance.seconds * SAMPLE_RATE_HZ), np.float32)
    for note in performance.notes:
        sample = sampled.nearest(note.key, note.length_s, note.velocity, rng)
        start = round(note.start_s * SAMPLE_RATE_HZ)
        if sample is None or start >= audio.size:
            continue
        tone = _tone(sample, note, performance, release_s)[: audio.size - start]
        audio[start : start + tone.size] += tone
    times = np.arange(audio.size) / (STEP_S * SAMPLE_RATE_HZ)
    audio *= np.interp(times, np.arange(performance.loudness.size), performance.loudness).astype(np.float32)
    return audio[None]


def _tone(sample: Sample, note: Note, performance: Performance, release_s: float) -> NDArray[np.float32]:
    """A sample at the note's pitch, length and loudness, bent along the performance's curve."""
    length = round((note.length_s + release_s) * SAMPLE_RATE_HZ)
    points = np.arange(0, length, 64)
    when = note.start_s + points / SAMPLE_RATE_HZ
    cents = np.interp(when / STEP_S, np.arange(performance.cents.size), performance.cents)
    speed = 2.0 ** ((note.key - sample.key) / 12 + cents / 1200)
    place = np.concatenate([[0.0], np.cumsum(speed * 64)])
    position = np.interp(np.arange(length), np.arange(place.size) * 64, place)
    position = position[position < sample.audio.size - 3]
    tone = _read_at(sample.audio, position) * _envelope(position.size, note.length_s, release_s)
    if note.velocity < 100:
        tone = _softened(tone, note.velocity)
    return tone * np.float32(10 ** (_SOFTEST_DB * (1 - note.velocity / 127) / 20))


def _read_at(audio: NDArray[np.float32], position: NDArray[np.float64]) -> NDArray[np.float32]:
    """Samples between samples, by a cubic through the four nearest (Catmull-Rom)."""
    whole = position.astype(np.int64)
    t = (position - whole).astype(np.float32)
    before, here, after, later = (audio[np.maximum(whole + by, 0)] for by in (-1, 0, 1, 2))
    a = 1.5 * (here - after) + 0.5 * (later - before)
    b = before - 2.5 * here + 2 * after - 0.5 * later
    c = 0.5 * (after - before)
    read: NDArray[np.float32] = ((a * t + b) * t + c) * t + here
    return read


def _envelope(length: int, held_s: float, release_s: float) -> NDArray[np.float32]:
    """Held, then let go; a sample that is too short fades at its end."""
    held = min(held_s, max(0.0, length / SAMPLE_RATE_HZ - 0.05))
    release = min(release_s, max(length / SAMPLE_RATE_HZ - held, 1e-3))
    corners = [0.0, _ATTACK_S, max(held, _ATTACK_S), max(held, _ATTACK_S) + release]
    seconds = np.arange(length) / SAMPLE_RATE_HZ
    shape = np.interp(seconds, corners, (0.0, 1.0, 1.0, 0.0))
    curve: NDArray[np.float32] = (shape**2).astype(np.float32)
    return curve


def _softened(tone: NDArray[np.float32], velocity: int) -> NDArray[np.float32]:
    """Soft notes are duller: a three-point average mixed in, more of it the softer."""
    share = np.float32(0.5 * (1 - velocity / 100))
    dull = tone.copy()
    dull[1:-1] = (tone[:-2] + tone[1:-1] + tone[2:]) / 3
    return (1 - share) * tone + share * dull
