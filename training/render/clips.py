"""Clips: what is played in each, from nothing but the seed and the clip's number."""

from typing import Final, NamedTuple

import numpy as np

from whoplays.training.render.drums import drum_part
from whoplays.training.render.excerpt import draw_excerpt
from whoplays.training.render.instruments import DRUMS
from whoplays.training.render.notes import Note
from whoplays.training.render.orchestration import Cast, Voice, draw_kit
from whoplays.training.render.performance import Performance, perform
from whoplays.training.render.scores import Song

_SHORTEST_S: Final = 6.0
_LONGEST_S: Final = 8.0
_IN_A_ROOM: Final = 0.15


class Plan(NamedTuple):
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


def plan(cast: Cast, seed: int, number: int) -> Plan:
    """Who plays the clip of this number."""
    rng = np.random.default_rng((seed, number, 0))
    seconds = round(float(rng.uniform(_SHORTEST_S, _LONGEST_S)), 3)
    return Plan(number, cast.voice(number, rng), seconds, bool(rng.random() < _IN_A_ROOM), draw_kit(rng))


def part(plan: Plan, songs: list[Song], seed: int) -> Performance:
    """What is played in a clip."""
    rng = np.random.default_rng((seed, plan.number, 1))
    return perform(_notes(plan, songs, rng), plan.voice.instrument, plan.seconds, rng)


def _notes(plan: Plan, songs: list[Song], rng: np.random.Generator) -> list[Note]:
    if plan.voice.instrument is DRUMS:
        return drum_part(plan.seconds, rng)
    excerpt = draw_excerpt(songs, plan.seconds, rng)
    weights = np.array([weight for _, weight in plan.voice.idioms])
    idiom, _ = plan.voice.idioms[int(rng.choice(len(weights), p=weights / weights.sum()))]
    return idiom(excerpt, plan.voice.span, rng)
