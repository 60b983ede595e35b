"""The renderer: plays clips block by block, each block's by source."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.training.render.effects import amplified, master
from whoplays.training.render.orchestration import ClipPlan, Orchestration, Soundfont, plan_clip, play_part
from whoplays.training.render.rendered_folder import RenderedFolder
from whoplays.training.render.sample_library import LoadedSamples, SampleLibrary
from whoplays.training.render.sampler import play_samples
from whoplays.training.render.scores import Song
from whoplays.training.render.soundfont import RenderJob, play

_BLOCK: Final = 384
_SYNTHESIZERS: Final = 2


class Renderer:
    """Renders clips into a folder.

    Args:
        orchestration: Which source plays which clip.
        songs: What its parts are made of.
        folder: Where clips are written.
        seed: All chance comes from it and a clip's number.
    """

    def __init__(self, orchestration: Orchestration, songs: list[Song], folder: RenderedFolder, seed: int) -> None:
        self._orchestration = orchestration
        self._songs = songs
        self._folder = folder
        self._seed = seed
        self._samples: dict[str, LoadedSamples] = {}

    def render(self, clips: int) -> Iterator[int]:
        """Render the clips that are missing of so many; yields how many are written after each block.

        Raises:
            OptionError: FluidSynth is needed and not installed.
            DataError: a source cannot be played, or the folder not be written.
        """
        # What is there of later blocks stays in the index while earlier ones are continued.
        plans = [plan_clip(self._orchestration, self._seed, number) for number in range(clips)]
        for first in range(0, clips, _BLOCK):
            block = plans[first : first + _BLOCK]
            if all(self._folder.has(clip) for clip in block):
                continue
            self._render(block)
            yield self._folder.write_index(plans)
        yield self._folder.write_index(plans)

    def _render(self, block: list[ClipPlan]) -> None:
        """FluidSynth plays in processes of its own, meanwhile the sampler here."""
        fonts = {(clip.voice.source.path, clip.room) for clip in block if isinstance(clip.voice.source, Soundfont)}
        with ThreadPoolExecutor(_SYNTHESIZERS, thread_name_prefix="soundfont") as pool:
            playing = [
                pool.submit(self._play, path, room, [clip for clip in block if _by(clip, path, room)])
                for path, room in sorted(fonts)
            ]
            for clip in block:
                if isinstance(clip.voice.source, SampleLibrary) and not self._folder.has(clip):
                    self._write(clip, self._sample(clip, clip.voice.source))
            for done in playing:
                done.result()

    def _play(self, soundfont: Path, room: bool, clips: list[ClipPlan]) -> None:
        """All of a block's clips are played again if one is missing: what a clip sounds like rests on those before."""
        if all(self._folder.has(clip) for clip in clips):
            return
        jobs = [
            RenderJob(play_part(clip, self._songs, self._seed), clip.voice.program, clip.kit, clip.voice.bank)
            for clip in clips
        ]
        for clip, audio in zip(clips, play(soundfont, jobs, room=room), strict=True):
            if not self._folder.has(clip):
                self._write(clip, audio)

    def _sample(self, clip: ClipPlan, library: SampleLibrary) -> NDArray[np.float32]:
        if library.name not in self._samples:
            self._samples[library.name] = LoadedSamples(library)
        rng = np.random.default_rng((self._seed, clip.number, 2))
        performance = play_part(clip, self._songs, self._seed)
        release_s = library.instrument.release_s * float(rng.uniform(0.6, 1.6))
        return play_samples(self._samples[library.name], performance, release_s, rng)

    def _write(self, clip: ClipPlan, audio: NDArray[np.float32]) -> None:
        if clip.voice.instrument.amplified:
            audio = amplified(audio, np.random.default_rng((self._seed, clip.number, 4)))
        mastered = master(audio, np.random.default_rng((self._seed, clip.number, 3)))
        if mastered is not None:
            self._folder.write(clip, mastered)


def _by(clip: ClipPlan, path: Path, room: bool) -> bool:
    return isinstance(clip.voice.source, Soundfont) and (clip.voice.source.path, clip.room) == (path, room)
