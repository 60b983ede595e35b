"""Orchestration: which sound source plays each clip, and what, from nothing but the seed and the clip's number."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import DataError, OptionError
from whoplays.training.render.excerpts import draw_excerpt
from whoplays.training.render.instruments import BY_NAME, DRUMS, LABELLED, OTHERS, Instrument, Program, Weighted
from whoplays.training.render.performance import Performance, perform
from whoplays.training.render.sample_library import SampleLibrary
from whoplays.training.render.scores import KeyRange, Note, Song
from whoplays.training.render.soundfont import presets
from whoplays.training.render.styles import drum_part

_OTHER: Final = "other"
_DRUMS: Final = "drums"
# Labels whose playing varies most come twice as often; a fifth is other sounds.
_MORE: Final = ("piano", "acoustic guitar", "electric guitar", "bass", "synthesizer", "flute", "clarinet", "violin")
_LABELS: Final = tuple(instrument.name for instrument in LABELLED)
_DECK: Final = (*_LABELS, *_MORE, _DRUMS, _DRUMS, *(_OTHER,) * 7)
# Programs of channel 10 that soundfonts which follow General Standard have: standard, room, power, electronic, jazz.
_KITS: Final = (0, 0, 8, 16, 24, 32)
_SHORTEST_S: Final = 6.0
_LONGEST_S: Final = 8.0
_REVERB_SHARE: Final = 0.15


class Soundfont(NamedTuple):
    """A General MIDI soundfont."""

    path: Path
    licence: str

    @property
    def name(self) -> str:
        """What sources and groups call it."""
        return self.path.stem.lower().replace(" ", "-")


class Voice(NamedTuple):
    """One instrument of one sound source."""

    source: Soundfont | SampleLibrary
    instrument: Instrument
    span: KeyRange
    styles: Weighted
    program: int | None = None
    """The soundfont's program; none for drums and samples."""
    bank: int = 0
    """Of the program."""

    @property
    def group(self) -> str:
        """What must stay in one split."""
        if isinstance(self.source, SampleLibrary):
            return self.source.group
        variation = f"{self.bank}/" if self.bank else ""
        return f"{self.source.name}:{'drums' if self.program is None else f'{variation}{self.program}'}"


class ClipPlan(NamedTuple):
    """Who plays a clip, and how long; what is played is drawn by `part`."""

    number: int
    voice: Voice
    seconds: float
    room: bool
    """Whether a soundfont plays it with reverb and chorus."""
    kit: int
    """The drum kit, where drums play."""

    @property
    def path(self) -> str:
        """Its file, below the corpus folder."""
        folder = (self.voice.instrument.label or "none").replace(" ", "-")
        return f"{folder}/{self.number:06d}.flac"


class _Choice(NamedTuple):
    voice: Voice
    weight: float


class Orchestration:
    """Takes turns: labels in a fixed order, within a label the sources, within a source its programs by chance.

    Other instruments take turns by instrument, within one its sources by chance.

    Args:
        only: the instruments to take, by name; all of them unless given.

    Raises:
        DataError: a library cannot be played, or there is nothing to play with.
        OptionError: there is no instrument of a name in `only`.
    """

    def __init__(
        self, soundfonts: Sequence[Soundfont], libraries: Sequence[SampleLibrary], only: Collection[str] = ()
    ) -> None:
        strange = sorted(set(only) - {*BY_NAME, DRUMS.name})
        if strange:
            raise OptionError(f"no instrument {strange[0]!r}; there are: {', '.join((*BY_NAME, DRUMS.name))}")
        wanted = set(only) or {*BY_NAME, DRUMS.name}
        names = [*(font.name for font in soundfonts), *(library.name for library in libraries)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(f"two sound sources are called {', '.join(twice)}; each needs a name of its own")
        self._pools: dict[str, list[list[_Choice]]] = {
            instrument.name: _by_source(instrument, soundfonts, libraries) if instrument.name in wanted else []
            for instrument in LABELLED
        }
        others = [_by_source(instrument, soundfonts, libraries) for instrument in OTHERS if instrument.name in wanted]
        self._pools[_OTHER] = [[choice for pool in pools for choice in pool] for pools in others if pools]
        kits = soundfonts if DRUMS.name in wanted else ()
        self._pools[_DRUMS] = [[_Choice(Voice(font, DRUMS, DRUMS.span, ()), 1.0)] for font in kits]
        self._deck = tuple(role for role in _DECK if self._pools[role])
        if not self._deck:
            raise DataError("there is nothing to play with: name a soundfont or a list of sample libraries")

    def voice(self, number: int, rng: np.random.Generator) -> Voice:
        """Who plays the clip of this number."""
        rounds, place = divmod(number, len(self._deck))
        role = self._deck[place]
        turn = rounds * self._deck.count(role) + self._deck[:place].count(role)
        pools = self._pools[role]
        pool = pools[turn % len(pools)]
        weights = np.array([choice.weight for choice in pool])
        return pool[int(rng.choice(len(pool), p=weights / weights.sum()))].voice


def plan_clip(orchestration: Orchestration, seed: int, number: int) -> ClipPlan:
    """Who plays the clip of this number."""
    rng = np.random.default_rng((seed, number, 0))
    seconds = round(float(rng.uniform(_SHORTEST_S, _LONGEST_S)), 3)
    return ClipPlan(
        number, orchestration.voice(number, rng), seconds, bool(rng.random() < _REVERB_SHARE), int(rng.choice(_KITS))
    )


def play_part(plan: ClipPlan, songs: list[Song], seed: int) -> Performance:
    """What is played in a clip."""
    rng = np.random.default_rng((seed, plan.number, 1))
    return perform(_notes(plan, songs, rng), plan.voice.instrument, plan.seconds, rng)


def _notes(plan: ClipPlan, songs: list[Song], rng: np.random.Generator) -> list[Note]:
    if plan.voice.instrument is DRUMS:
        return drum_part(plan.seconds, rng)
    excerpt = draw_excerpt(songs, plan.seconds, rng)
    weights = np.array([weight for _, weight in plan.voice.styles])
    style, _ = plan.voice.styles[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return style(excerpt, plan.voice.span, rng)


def _by_source(
    instrument: Instrument, soundfonts: Sequence[Soundfont], libraries: Sequence[SampleLibrary]
) -> list[list[_Choice]]:
    pools = [
        [_played_by(font, instrument, program) for program in instrument.programs if _has(font, program)]
        for font in soundfonts
    ]
    pools += [
        [_Choice(Voice(library, instrument, library.span(), instrument.styles), 1.0)]
        for library in libraries
        if library.instrument is instrument
    ]
    return [pool for pool in pools if pool]


def _has(font: Soundfont, program: Program) -> bool:
    """Whether a soundfont can play a program: variations, in other banks than 0, are not in all of them."""
    return not program.bank or (program.bank, program.number) in presets(font.path)


def _played_by(font: Soundfont, instrument: Instrument, program: Program) -> _Choice:
    span = program.span or instrument.span
    styles = program.styles or instrument.styles
    return _Choice(Voice(font, instrument, span, styles, program.number, program.bank), program.weight)
