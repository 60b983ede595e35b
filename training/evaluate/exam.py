"""Exams: fixed sets of windows with their truths, cut and mixed from recordings that training has not heard."""

from collections.abc import Iterator
from itertools import combinations, islice
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.labels import CORE
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library, cut
from whoplays.training.data.mixing import Window, peak_normalised, rms, solos

OTHERS: Final = "other sounds"
"""The set of which nothing should be named."""
MIXES: Final = 200
MIX_SIZES: Final = MappingProxyType({"pairs": 2, "trios": 3})
"""How many play in each set of mixes."""
_LEVEL_DB: Final = 6.0
_QUIETEST_RMS: Final = 10 ** (-55 / 20)
_LONGEST_WINDOWS: Final = 12
_TRIES: Final = 20


class Place(NamedTuple):
    """Three seconds of a recording: where they are, not yet the samples."""

    clip: Clip
    start: int

    @property
    def labels(self) -> frozenset[str]:
        """What plays there; nothing where it cannot be said."""
        return self.clip.labels_between(*self._span_s) or frozenset()

    @property
    def clear(self) -> bool:
        """Whether it can be said what plays there."""
        return self.clip.labels_between(*self._span_s) is not None

    @property
    def _span_s(self) -> tuple[float, float]:
        return self.start / SAMPLE_RATE_HZ, (self.start + WINDOW_SAMPLES) / SAMPLE_RATE_HZ


class Question(NamedTuple):
    """One window of an exam: what sounds in it, and how loud each part is."""

    places: tuple[Place, ...]
    gains_db: tuple[float, ...]

    @property
    def labels(self) -> frozenset[str]:
        """The instruments that play in it."""
        return frozenset().union(*(place.labels for place in self.places))

    @property
    def source(self) -> str:
        """Where it comes from; mixes come from several sources."""
        return " + ".join(self.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of its parts."""
        return tuple(sorted({place.clip.source for place in self.places}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of its parts."""
        return tuple(sorted({place.clip.group for place in self.places}))

    def audio(self, library: Library) -> Window:
        """The window itself: as recorded where one plays, else mixed at its gains and normalised to a peak of 0.5."""
        windows = [library.window(place.clip, place.start) for place in self.places]
        if len(windows) == 1:
            return windows[0]
        parts = zip(windows, self.gains_db, strict=True)
        return peak_normalised(
            sum((w * np.float32(10 ** (g / 20) / rms(w)) for w, g in parts), np.zeros_like(windows[0]))
        )


class Exam(NamedTuple):
    """Sets of questions by name: `solos`, `pairs`, `trios`, `ensembles`, `other sounds`."""

    sets: dict[str, list[Question]]


def scopes_of(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The labels of each exam that those who know these labels sit: `core`, then `all` where there are more."""
    core = tuple(label for label in labels if label in CORE)
    scopes = {"core": core} if core else {}
    return scopes if core == labels else {**scopes, "all": labels}


def set_exam(library: Library, clips: list[Clip], labels: tuple[str, ...], seed: int) -> Exam:
    """Solos, ensembles and other sounds as recorded, and seeded mixes of two and three labels within +-6 dB.

    The parts of a mix come from different sources where there is more than one. In an ensemble of which it is known who
    plays when, each window has labels of its own; one may hold a single player, or nobody.
    """
    alone = [place for clip in solos(clips, labels) for place in places(library, clip) if place.labels]
    together = [place for clip in clips if len(clip.labels) > 1 for place in places(library, clip)]
    others = [place for clip in clips if not clip.labels for place in places(library, clip)]
    rng = np.random.default_rng(seed)
    sets = {
        "solos": [Question((place,), (0.0,)) for place in alone],
        **{name: list(islice(_mixes(alone, size, rng), MIXES)) for name, size in MIX_SIZES.items()},
        "ensembles": [Question((place,), (0.0,)) for place in together],
        OTHERS: [Question((place,), (0.0,)) for place in others],
    }
    return Exam({name: questions for name, questions in sets.items() if questions})


def places(library: Library, clip: Clip) -> list[Place]:
    """Every whole window of a recording that is not silent, twelve at most; a shorter recording is one window.

    Windows in which something is heard for too short to be named are left out.
    """
    audio = library.audio(clip)
    starts = range(0, max(audio.shape[1] - WINDOW_SAMPLES, 0) + 1, WINDOW_SAMPLES)
    loud = [Place(clip, start) for start in starts if rms(cut(audio, start)) > _QUIETEST_RMS]
    heard = [place for place in loud if place.clear]
    keep = np.linspace(0, len(heard) - 1, min(len(heard), _LONGEST_WINDOWS)).round().astype(int)
    return [heard[index] for index in keep]


def _mixes(alone: list[Place], size: int, rng: np.random.Generator) -> Iterator[Question]:
    """Mixes of different labels without end: every set of labels as often as any other, each source as likely."""
    by_label: dict[str, dict[str, list[Place]]] = {}
    for place in alone:
        by_label.setdefault(next(iter(place.labels)), {}).setdefault(place.clip.source, []).append(place)
    several = len({place.clip.source for place in alone}) > 1
    possible = list(combinations(sorted(by_label), size))
    while possible:
        drawn = [_parts(by_label, possible[k], rng, several=several) for k in rng.permutation(len(possible))]
        found = [parts for parts in drawn if parts]
        for parts in found:
            yield Question(parts, tuple(rng.uniform(-_LEVEL_DB, _LEVEL_DB, size).tolist()))
        if not found:
            return


def _parts(
    by_label: dict[str, dict[str, list[Place]]], labels: tuple[str, ...], rng: np.random.Generator, *, several: bool
) -> tuple[Place, ...]:
    """A place for each label, from different sources where there are `several`; none where that cannot be."""
    for _ in range(_TRIES):
        parts = tuple(_draw(by_label[label], rng) for label in labels)
        if not several or len({part.clip.source for part in parts}) == len(parts):
            return parts
    return ()


def _draw(by_source: dict[str, list[Place]], rng: np.random.Generator) -> Place:
    members = by_source[str(rng.choice(sorted(by_source)))]
    return members[int(rng.integers(len(members)))]
