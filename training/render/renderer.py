"""The studio: renders clips block by block, each block's by source."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.training.render.clips import Plan, part, plan
from whoplays.training.render.effects import amplified
from whoplays.training.render.master import master
from whoplays.training.render.orchestration import Cast, Soundfont
from whoplays.training.render.rendered_folder import RenderedFolder
from whoplays.training.render.sample_library import Library, Sampled
from whoplays.training.render.sampler import play_samples
from whoplays.training.render.scores import Song
from whoplays.training.render.soundfont import Order, play

_BLOCK: Final = 384
_PLAYERS: Final = 2


class Studio:
    """Renders clips into a folder.

    Args:
        cast: Who plays.
        songs: What from.
        folder: Where to.
        seed: All chance comes from it and a clip's number.
    """

    def __init__(self, cast: Cast, songs: list[Song], folder: RenderedFolder, seed: int) -> None:
        self._cast = cast
        self._songs = songs
        self._folder = folder
        self._seed = seed
        self._sampled: dict[str, Sampled] = {}

    def render(self, clips: int) -> Iterator[int]:
        """Render the clips that are missing of so many; yields how many are written after each block.

        Raises:
            OptionError: FluidSynth is needed and not installed.
            DataError: a source cannot be played, or the folder not be written.
        """
        # What is there of later blocks stays in the index while earlier ones are gone on with.
        plans = [plan(self._cast, self._seed, number) for number in range(clips)]
        for first in range(0, clips, _BLOCK):
            block = plans[first : first + _BLOCK]
            if all(self._folder.has(clip) for clip in block):
                continue
            self._render(block)
            yield self._folder.write_index(plans)
        yield self._folder.write_index(plans)

    def _render(self, block: list[Plan]) -> None:
        """FluidSynth plays in processes of its own, meanwhile the sampler here."""
        fonts = {(clip.voice.source.path, clip.room) for clip in block if isinstance(clip.voice.source, Soundfont)}
        with ThreadPoolExecutor(_PLAYERS, thread_name_prefix="soundfont") as pool:
            playing = [
                pool.submit(self._play, path, room, [clip for clip in block if _by(clip, path, room)])
                for path, room in sorted(fonts)
            ]
            for clip in block:
                if isinstance(clip.voice.source, Library) and not self._folder.has(clip):
                    self._write(clip, self._sample(clip, clip.voice.source))
            for done in playing:
                done.result()

    def _play(self, soundfont: Path, room: bool, clips: list[Plan]) -> None:
        """All of a block's clips are played again if one is missing: what a clip sounds like rests on those before."""
        if all(self._folder.has(clip) for clip in clips):
            return
        orders = [Order(part(clip, self._songs, self._seed), clip.voice.program, clip.kit) for clip in clips]
        for clip, audio in zip(clips, play(soundfont, orders, room=room), strict=True):
            if not self._folder.has(clip):
                self._write(clip, audio)

    def _sample(self, clip: Plan, library: Library) -> NDArray[np.float32]:
        if library.name not in self._sampled:
            self._sampled[library.name] = Sampled(library)
        rng = np.random.default_rng((self._seed, clip.number, 2))
        performance = part(clip, self._songs, self._seed)
        release_s = library.instrument.release_s * float(rng.uniform(0.6, 1.6))
        return play_samples(self._sampled[library.name], performance, release_s, rng)

    def _write(self, clip: Plan, audio: NDArray[np.float32]) -> None:
        if clip.voice.instrument.amplified:
            audio = amplified(audio, np.random.default_rng((self._seed, clip.number, 4)))
        mastered = master(audio, np.random.default_rng((self._seed, clip.number, 3)))
        if mastered is not None:
            self._folder.write(clip, mastered)


def _by(clip: Plan, path: Path, room: bool) -> bool:
    return isinstance(clip.voice.source, Soundfont) and (clip.voice.source.path, clip.room) == (path, room)
