"""Preparing windows, a shard at a time, in as many processes as there are to spare."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.console import counting
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import folder_and_share
from whoplays.training.data.impulse_responses import read_impulse_responses
from whoplays.training.data.library import Library
from whoplays.training.networks.mel_power import MelPower
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder
from whoplays.training.windows import shards, soundscapes
from whoplays.training.windows.shards import KINDS, Manifest, PreparedWindows, Shard
from whoplays.training.windows.solos import SoloGenerator
from whoplays.training.windows.soundscapes import Soundscape, draw_soundscapes

_BATCH: Final = 32
_FLOOR: Final = 1e-6
"""Below it mel power is kept as nothing: of sounds at an RMS of 1, far below what can be heard beside them."""


@dataclass(frozen=True)
class BuildSpec:
    """Everything that windows are made from; what a worker process is given."""

    corpora: tuple[tuple[Clip, ...], ...]
    labels: tuple[str, ...]
    cache: Path | None
    rooms: Path | None
    seed: int

    def manifest(self) -> Manifest:
        """What the folder will say of itself."""
        clips = [clip for corpus in self.corpora for clip in corpus]
        return shards.describe(clips, self.labels, self.rooms, self.seed)


def build(folder: Path, spec: BuildSpec, windows: int, workers: int, done: Callable[[int], None]) -> None:
    """Make the shards that are missing; a folder that is there already is continued.

    Args:
        done: called with each shard's number of windows.

    Raises:
        DataError: there is nothing to make windows from, or the folder holds others.
    """
    manifest = spec.manifest()
    if spec.rooms:
        read_impulse_responses(spec.rooms)  # a manifest that names no rooms would refuse what is then put right
    shards.begin(folder, manifest)
    numbers = shards.missing_shards(folder, windows)
    if workers == 1:
        for number in numbers:
            _make(folder, spec, manifest, number)
            done(soundscapes.SHARD_WINDOWS)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_make, *zip(*((folder, spec, manifest, n) for n in numbers), strict=True)):
            done(soundscapes.SHARD_WINDOWS)


def open_windows(
    recipe: Recipe, clips: Sequence[Clip], library: Library, run: RunFolder, folders: Sequence[Path]
) -> PreparedWindows:
    """What a run may use of prepared windows; without any, of those made of its own clips in its folder.

    Raises:
        DataError: there is nothing to make windows from, or nothing in these may be used.
    """
    if not folders:
        folders = [run.folder / "windows"]
        own = BuildSpec((tuple(clips),), recipe.labels, library.cache, None, recipe.seed)
        build(folders[0], own, recipe.prepared_windows, 1, counting(f"of {recipe.prepared_windows} windows made"))
    found = shards.load(folders, {clip.group for clip in clips}, recipe.labels)
    if not any(found.solos(label).size for label in found.labels):
        where = ", ".join(map(str, folders))
        raise DataError(f"no instrument plays alone in the windows of {where} that this run may use; add others")
    return found


def refuse_unprepared(trained: Mapping[str, Sequence[Clip]], folders: Sequence[Path]) -> None:
    """See that a run does not claim to train on what is in none of its prepared windows.

    Args:
        trained: by `--data`, what of it is to be trained on.

    Raises:
        DataError: a folder holds no windows, or none is of some of the data.
    """
    held = {group for folder in folders for group in shards.read_manifest(folder).groups}
    for text, clips in trained.items():
        if clips and not held & {clip.group for clip in clips}:
            raise DataError(
                f"{' and '.join(map(str, folders))} holds nothing of {text}: prepare it with whoplays prepare OUT "
                f"--data {folder_and_share(text)[0]}, or leave out that --data"
            )


class _Worker:
    """What every shard needs, made once a process."""

    def __init__(self, spec: BuildSpec) -> None:
        torch.set_num_threads(1)
        rooms = read_impulse_responses(spec.rooms) if spec.rooms else []
        self.solos = SoloGenerator(Library(spec.cache), spec.corpora, spec.labels, rooms)
        self.power = MelPower().eval()


@cache
def _worker(spec: BuildSpec) -> _Worker:
    return _Worker(spec)


def _make(folder: Path, spec: BuildSpec, manifest: Manifest, number: int) -> None:
    worker = _worker(spec)
    scapes = draw_soundscapes(worker.solos, spec.seed, number)
    shards.write_shard(folder, number, _to_shard(worker.power, scapes, manifest))


def _to_shard(power: MelPower, scapes: list[Soundscape], manifest: Manifest) -> Shard:
    made = shards.empty_shard(len(scapes), len(manifest.labels))
    index = {group: number for number, group in enumerate(manifest.groups)}
    for start in range(0, len(scapes), _BATCH):
        batch = slice(start, start + _BATCH)
        made.log_power[batch] = _log_power(power, np.stack([scape.audio for scape in scapes[batch]]))
    for row, scape in enumerate(scapes):
        made.kinds[row] = KINDS.index(scape.kind)
        made.targets[row] = [label in scape.labels for label in manifest.labels]
        made.groups[row, : len(scape.groups)] = sorted(index[group] for group in scape.groups)
    return made


def _log_power(power: MelPower, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        stereo = torch.from_numpy(audio)[:, None].expand(-1, 2, -1)
        return np.asarray(torch.log(power(stereo) + _FLOOR).numpy())
