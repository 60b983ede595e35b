"""Test sets: fixed windows with their true labels, cut and mixed from recordings that training has not used.

Silence is a set of its own: digital, and the hiss of an amplifier that nobody plays through.
"""

from collections.abc import Iterator
from itertools import combinations, islice
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.labels import CORE, IRMAS
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library, cut
from whoplays.training.data.mixing import Window, peak_normalised, rms, solos

MIXES: Final = 200
MIX_SIZES: Final = MappingProxyType({"pairs": 2, "trios": 3})
"""How many play in each set of mixes."""
OTHERS: Final = "other sounds"
"""The set of recordings in which none of the labels plays."""
SILENCE: Final = "silence"
RECORDED: Final = ("solos", *MIX_SIZES, "ensembles", OTHERS)
"""The sets that are made of recordings."""
_LEVEL_DB: Final = 6.0
_QUIETEST_RMS: Final = 10 ** (-55 / 20)
_LONGEST_WINDOWS: Final = 12
_TRIES: Final = 20
_HISS_DBFS: Final = (-96.0, -84.0, -72.0, -66.0, -60.0)


class ClipWindow(NamedTuple):
    """Three seconds of a recording: where they are, not yet the samples."""

    clip: Clip
    start: int

    @property
    def labels(self) -> frozenset[str]:
        """What plays there; nothing where that is not known."""
        return self.clip.labels_between(*self._span_s) or frozenset()

    @property
    def is_labelled(self) -> bool:
        """Whether it is known what plays there."""
        return self.clip.labels_between(*self._span_s) is not None

    @property
    def _span_s(self) -> tuple[float, float]:
        return self.start / SAMPLE_RATE_HZ, (self.start + WINDOW_SAMPLES) / SAMPLE_RATE_HZ


class Example(NamedTuple):
    """One window of a test set: the clips that sound in it, and the level of each; none in silence."""

    parts: tuple[ClipWindow, ...] = ()
    gains_db: tuple[float, ...] = ()
    hiss_dbfs: float | None = None
    """Of silence, the root mean square of white noise; digital silence without it."""

    @property
    def labels(self) -> frozenset[str]:
        """The instruments that play in it."""
        return frozenset().union(*(part.labels for part in self.parts))

    @property
    def source(self) -> str:
        """The source of its recording; of a mix, all of them."""
        return " + ".join(self.sources)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of its parts."""
        return tuple(sorted({part.clip.source for part in self.parts}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of its parts."""
        return tuple(sorted({part.clip.group for part in self.parts}))

    def audio(self, library: Library) -> Window:
        """The window itself: as recorded where one plays, else mixed at its gains and normalised to a peak of 0.5."""
        if not self.parts:
            return _silence(self.hiss_dbfs)
        windows = [library.window(part.clip, part.start) for part in self.parts]
        if len(windows) == 1:
            return windows[0]
        levelled = (
            window * np.float32(10 ** (gain_db / 20) / rms(window))
            for window, gain_db in zip(windows, self.gains_db, strict=True)
        )
        return peak_normalised(sum(levelled, np.zeros_like(windows[0])))


Sets = dict[str, list[Example]]
"""Test sets by name, none of them empty: those of `RECORDED`, and `silence`."""
_BySource = dict[str, list[ClipWindow]]


def scopes_of(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The labels that a model of these labels is evaluated on: `core`, `irmas` and `all`, each where it is wider.

    One model, restricted to the labels that are asked for.
    """
    known = {"core": CORE, "irmas": tuple(IRMAS.values()), "all": labels}
    scopes = {name: tuple(label for label in labels if label in wanted) for name, wanted in known.items()}
    widest = "all" if scopes["core"] != labels else "core"
    return {name: own for name, own in scopes.items() if name == widest or 0 < len(own) < len(labels)}


def build_sets(library: Library, clips: list[Clip], labels: tuple[str, ...], seed: int) -> Sets:
    """Solos, ensembles and other sounds as recorded, and seeded mixes of two and three labels within +-6 dB.

    Other sounds are those in which none of these labels plays, nor any of IRMAS: a flute is no sound to reject where
    four labels are asked for. The parts of a mix come from different sources where there is more than one. In an
    ensemble of which it is known what plays when, each window has labels of its own; one may hold a single player, or
    nobody.
    """
    alone = [window for clip in solos(clips, labels) for window in windows_of(library, clip) if window.labels]
    together = [window for clip in clips if len(clip.labels) > 1 for window in windows_of(library, clip)]
    named = {*labels, *IRMAS.values()}
    others = [window for clip in clips if not clip.labels & named for window in windows_of(library, clip)]
    rng = np.random.default_rng(seed)
    sets = {
        "solos": _as_recorded(alone),
        **{name: list(islice(_mixes(alone, size, rng), MIXES)) for name, size in MIX_SIZES.items()},
        "ensembles": _as_recorded(together),
        OTHERS: _as_recorded(others),
    }
    return {name: examples for name, examples in sets.items() if examples}


def silences() -> list[Example]:
    """Digital silence, and hiss from -96 to -60 dBFS."""
    return [Example(), *(Example(hiss_dbfs=level) for level in _HISS_DBFS)]


def windows_of(library: Library, clip: Clip) -> list[ClipWindow]:
    """Every whole window of a recording that is not silent, twelve at most; a shorter recording is one window.

    Windows in which something sounds for too short to be labelled are left out.
    """
    audio = library.audio(clip)
    starts = range(0, max(audio.shape[1] - WINDOW_SAMPLES, 0) + 1, WINDOW_SAMPLES)
    loud = [ClipWindow(clip, start) for start in starts if rms(cut(audio, start)) > _QUIETEST_RMS]
    labelled = [window for window in loud if window.is_labelled]
    keep = np.linspace(0, len(labelled) - 1, min(len(labelled), _LONGEST_WINDOWS)).round().astype(int)
    return [labelled[index] for index in keep]


def _as_recorded(found: list[ClipWindow]) -> list[Example]:
    return [Example((window,), (0.0,)) for window in found]


def _silence(hiss_dbfs: float | None) -> Window:
    shape = (CHANNELS, WINDOW_SAMPLES)
    if hiss_dbfs is None:
        return np.zeros(shape, np.float32)
    noise = np.random.default_rng(round(-hiss_dbfs)).normal(size=shape)
    return np.asarray(noise * 10 ** (hiss_dbfs / 20), np.float32)


def _mixes(alone: list[ClipWindow], size: int, rng: np.random.Generator) -> Iterator[Example]:
    """Mixes of different labels without end: every set of labels as often as any other, each source as likely."""
    by_label: dict[str, _BySource] = {}
    for window in alone:
        by_label.setdefault(next(iter(window.labels)), {}).setdefault(window.clip.source, []).append(window)
    several = len({window.clip.source for window in alone}) > 1
    possible = list(combinations(sorted(by_label), size))
    while possible:
        drawn = [_parts(by_label, possible[k], rng, several=several) for k in rng.permutation(len(possible))]
        found = [parts for parts in drawn if parts]
        for parts in found:
            yield Example(parts, tuple(rng.uniform(-_LEVEL_DB, _LEVEL_DB, size).tolist()))
        if not found:
            return


def _parts(
    by_label: dict[str, _BySource],
    labels: tuple[str, ...],
    rng: np.random.Generator,
    *,
    several: bool,
) -> tuple[ClipWindow, ...]:
    """A window for each label, from different sources where there are `several`; none where that cannot be."""
    for _ in range(_TRIES):
        parts = tuple(_draw(by_label[label], rng) for label in labels)
        if not several or len({part.clip.source for part in parts}) == len(parts):
            return parts
    return ()


def _draw(by_source: _BySource, rng: np.random.Generator) -> ClipWindow:
    members = by_source[str(rng.choice(sorted(by_source)))]
    return members[int(rng.integers(len(members)))]
