"""The cast: which sound sources play which label, and whose turn it is."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import DataError, OptionError
from whoplays.training.render.instruments import BY_NAME, DRUMS, LABELLED, OTHERS, Instrument, Program, Weighted
from whoplays.training.render.notes import Range
from whoplays.training.render.sample_library import Library

_OTHER: Final = "other"
_DRUMS: Final = "drums"
# Labels whose playing varies most, in chords and lines, come a third more often; nearly a quarter is other sounds.
_MORE: Final = ("piano", "acoustic guitar", "electric guitar", "organ")
_LABELS: Final = tuple(instrument.name for instrument in LABELLED)
_DECK: Final = (
    *(*_LABELS, _OTHER, _OTHER, _OTHER, _DRUMS),
    *(*_LABELS, _OTHER, _OTHER, _OTHER),
    *(*_LABELS, *_MORE, _OTHER, _OTHER, _OTHER, _DRUMS),
)
# Programs of channel 10 that soundfonts which follow General Standard have: standard, room, power, electronic, jazz.
_KITS: Final = (0, 0, 8, 16, 24, 32)


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

    source: Soundfont | Library
    instrument: Instrument
    span: Range
    idioms: Weighted
    program: int | None = None
    """The soundfont's program; none for drums and samples."""

    @property
    def group(self) -> str:
        """What must stay in one split."""
        if isinstance(self.source, Library):
            return self.source.group
        return f"{self.source.name}:{'drums' if self.program is None else self.program}"


class _Choice(NamedTuple):
    voice: Voice
    weight: float


class Cast:
    """Takes turns: labels in a fixed order, within a label the sources, within a source its programs by chance.

    Other instruments take turns by instrument, within one its sources by chance.

    Args:
        only: the instruments to take, by name; all of them unless given.

    Raises:
        DataError: a library cannot be played, or there is nothing to play with.
        OptionError: there is no instrument of a name in `only`.
    """

    def __init__(
        self, soundfonts: Sequence[Soundfont], libraries: Sequence[Library], only: Collection[str] = ()
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


def draw_kit(rng: np.random.Generator) -> int:
    """A drum kit's program."""
    return int(rng.choice(_KITS))


def _by_source(
    instrument: Instrument, soundfonts: Sequence[Soundfont], libraries: Sequence[Library]
) -> list[list[_Choice]]:
    pools = [[_played_by(font, instrument, program) for program in instrument.programs] for font in soundfonts]
    pools += [
        [_Choice(Voice(library, instrument, library.span(), instrument.idioms), 1.0)]
        for library in libraries
        if library.instrument is instrument
    ]
    return [pool for pool in pools if pool]


def _played_by(font: Soundfont, instrument: Instrument, program: Program) -> _Choice:
    span = program.span or instrument.span
    return _Choice(Voice(font, instrument, span, program.idioms or instrument.idioms, program.number), program.weight)
