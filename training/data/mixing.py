"""The original project's processing: peak normalisation, classes balanced by sign reversal, pairs made by summing."""

from collections import defaultdict
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library, cut

PEAK: Final = 0.5

Window = NDArray[np.float32]
"""`float32 [2, 132300]` in [-1, 1]."""
Windows = NDArray[np.float32]
"""`float32 [n, 2, 132300]` in [-1, 1]."""


class Take(NamedTuple):
    """A clip as it enters training: as recorded, or with its sign reversed."""

    clip: Clip
    sign: int


def solos(clips: list[Clip], labels: tuple[str, ...]) -> list[Clip]:
    """The clips that hold exactly one instrument, one of `labels`."""
    return [clip for clip in clips if len(clip.labels) == 1 and next(iter(clip.labels)) in labels]


def by_label(clips: list[Clip]) -> dict[str, list[Clip]]:
    """Solo clips by their label."""
    grouped: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        grouped[next(iter(clip.labels))].append(clip)
    return grouped


def peak_normalised(window: Window) -> Window:
    """Scale a window so that its largest magnitude is 0.5; silence stays silence."""
    peak = float(np.abs(window).max())
    return window * np.float32(PEAK / peak) if peak > 0 else window


def rms(window: Window) -> float:
    """Root of the mean square over both channels."""
    return float(np.sqrt(np.square(window).mean()))


def balanced(clips: list[Clip]) -> list[Take]:
    """Fill every class up to the largest with sign-reversed copies, in turn with plain ones where once is not enough.

    For the training split only: a copy in another split would be a leak.
    """
    classes = by_label(clips)
    size = max(len(members) for members in classes.values())
    return [
        Take(members[index % len(members)], -1 if index // len(members) % 2 else 1)
        for _, members in sorted(classes.items())
        for index in range(size)
    ]


def random_window(library: Library, clip: Clip, rng: np.random.Generator) -> Window:
    """Three seconds from anywhere where a clip's labels play; a shorter clip whole, followed by zeros."""
    audio = library.active_audio(clip)
    spare = audio.shape[1] - WINDOW_SAMPLES
    return cut(audio, int(rng.integers(spare + 1)) if spare > 0 else 0)


def pair(first: Window, second: Window) -> Window:
    """Sum two normalised windows and normalise again."""
    return peak_normalised(peak_normalised(first) + peak_normalised(second))


def draw_pair(takes: dict[str, list[Take]], rng: np.random.Generator) -> tuple[Take, Take]:
    """Two takes of two different labels, each label as likely as any other.

    Raises:
        DataError: fewer than two labels have clips.
    """
    present = sorted(takes)
    if len(present) < 2:
        raise DataError(f"pairs need clips of two labels at least; there are {present or 'none'}")
    first, second = rng.choice(len(present), size=2, replace=False)
    return _draw(takes[present[first]], rng), _draw(takes[present[second]], rng)


def _draw(takes: list[Take], rng: np.random.Generator) -> Take:
    return takes[int(rng.integers(len(takes)))]
