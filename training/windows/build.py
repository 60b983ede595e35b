"""Filling a bank, a shard at a time, in as many processes as there are to spare."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.console import counting
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import folder_and_share
from whoplays.training.data.impulse_responses import read_rooms
from whoplays.training.data.library import Library
from whoplays.training.data.music import Music
from whoplays.training.networks.log_mel import FLOOR, MelPower
from whoplays.training.recipe import Recipe
from whoplays.training.run import Config, RunFolder
from whoplays.training.taggers.efficientat import EfficientAT
from whoplays.training.taggers.yamnet_teacher import YamnetTeacher
from whoplays.training.windows import shards as bank
from whoplays.training.windows import soundscapes
from whoplays.training.windows.shards import KINDS, Bank, Manifest, Shard
from whoplays.training.windows.solos import Stems
from whoplays.training.windows.soundscapes import Soundscape, as_heard, shard

_YAMNET: Final = "yamnet.tflite"
_EFFICIENTAT: Final = "efficientat_mn04_as.pt"
_BATCH: Final = 32


class Teacher(Protocol):
    """A tagger that judges windows."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""

    @property
    def classes(self) -> int:
        """How many classes it knows."""

    def logits(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """`float32 [windows, 132300]` -> `float32 [windows, classes]`."""


@dataclass(frozen=True)
class Material:
    """Everything that a bank is made from; what a worker process is given."""

    corpora: tuple[tuple[Clip, ...], ...]
    labels: tuple[str, ...]
    cache: Path | None
    music: Path | None
    rooms: Path | None
    teachers: Path | None
    seed: int

    def manifest(self) -> Manifest:
        """What the bank will say of itself."""
        clips = [clip for corpus in self.corpora for clip in corpus]
        names = [teacher.name for teacher in call_teachers(self.teachers)]
        return bank.describe(clips, self.labels, self.music, self.rooms, names, self.seed)

    def check(self) -> None:
        """See that there are rooms and music where they are said to be.

        Raises:
            DataError: there are none.
        """
        if self.rooms:
            read_rooms(self.rooms)
        if self.music:
            Music(self.music)


def fill(folder: Path, material: Material, windows: int, workers: int, done: Callable[[int], None]) -> None:
    """Make the shards that are missing; a bank that is there already is gone on with.

    Args:
        done: told of each shard's windows.

    Raises:
        DataError: there is nothing to make a bank from, or the folder holds another one.
    """
    manifest = material.manifest()
    material.check()
    bank.begin(folder, manifest)
    numbers = bank.missing(folder, windows)
    if workers == 1:
        for number in numbers:
            _make(folder, material, manifest, number)
            done(soundscapes.SHARD_WINDOWS)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_make, *zip(*((folder, material, manifest, n) for n in numbers), strict=True)):
            done(soundscapes.SHARD_WINDOWS)


def open_bank(recipe: Recipe, clips: Sequence[Clip], library: Library, run: RunFolder, folders: Sequence[Path]) -> Bank:
    """What a run may hear of these banks; without any, of one that is made of its own clips in its folder.

    Where the recipe gives lessons no weight there are none, and so nothing to learn from unlabelled music.

    Raises:
        DataError: there is nothing to make a bank from, or nothing in these banks may be heard.
    """
    if not folders:
        folders = [run.folder / "bank"]
        own = Material((tuple(clips),), recipe.labels, library.cache, None, None, None, recipe.seed)
        fill(folders[0], own, recipe.bank_windows, 1, counting(f"of {recipe.bank_windows} windows made"))
    found = bank.load(folders, {clip.group for clip in clips})
    if found.labels != recipe.labels:
        raise DataError(f"the bank is of {' '.join(found.labels)}, the recipe of {' '.join(recipe.labels)}")
    if not any(found.solos(label).size for label in found.labels):
        raise DataError(f"nothing that this run may hear plays alone in {', '.join(map(str, folders))}; add a bank")
    return found if recipe.lesson_weight else found.without_lessons()


def refuse_unheard(trained: Mapping[str, Sequence[Clip]], folders: Sequence[Path]) -> None:
    """See that a run does not claim to hear what is in none of its banks.

    Args:
        trained: by `--data`, what of it is to be trained on.

    Raises:
        DataError: a folder holds no bank, or the banks hold nothing of some of the data.
    """
    held = {group for folder in folders for group in bank.read_manifest(folder).groups}
    for text, clips in trained.items():
        if clips and not held & {clip.group for clip in clips}:
            raise DataError(
                f"{' and '.join(map(str, folders))} holds nothing of {text}: make one with whoplays material BANK "
                f"--data {folder_and_share(text)[0]}, or leave out that --data"
            )


def with_banks(config: Config, folders: Sequence[Path]) -> Config:
    """A configuration that also tells what is heard: these banks, whose lessons, and of which unlabelled recordings.

    Raises:
        DataError: a folder holds no bank.
    """
    heard = msgspec.structs.replace(config, banks=tuple(bank.fingerprint(folder) for folder in folders))
    if not config.recipe.lesson_weight:
        return heard
    manifests = [bank.read_manifest(folder) for folder in folders]
    music = {*config.music, *(known for manifest in manifests for known in bank.songs(manifest))}
    teachers = {*config.teachers, *(name for manifest in manifests for name in manifest.teachers)}
    return msgspec.structs.replace(heard, teachers=tuple(sorted(teachers)), music=tuple(sorted(music)))


def call_teachers(folder: Path | None) -> list[Teacher]:
    """The teachers whose files are in a folder; none without a folder.

    Raises:
        DataError: the folder holds neither of them.
    """
    if folder is None:
        return []
    found: list[Teacher] = []
    if (folder / _YAMNET).is_file():
        found.append(YamnetTeacher(folder / _YAMNET))
    if (folder / _EFFICIENTAT).is_file():
        found.append(EfficientAT(folder / _EFFICIENTAT))
    if not found:
        raise DataError(f"{folder} holds no teacher: neither {_YAMNET} nor {_EFFICIENTAT}")
    return found


class _Workshop:
    """What every shard needs, made once a process."""

    def __init__(self, material: Material) -> None:
        torch.set_num_threads(1)
        rooms = read_rooms(material.rooms) if material.rooms else []
        library = Library(material.cache)
        self.stems = Stems(library, material.corpora, material.labels, rooms) if material.corpora else None
        self.music = Music(material.music) if material.music else None
        self.teachers = call_teachers(material.teachers)
        self.power = MelPower().eval()


@cache
def _workshop(material: Material) -> _Workshop:
    return _Workshop(material)


def _make(folder: Path, material: Material, manifest: Manifest, number: int) -> None:
    shop = _workshop(material)
    scapes = shard(shop.stems, shop.music, material.seed, number)
    bank.keep(folder, number, _prepared(shop, scapes, manifest))


def _prepared(shop: _Workshop, scapes: Sequence[Soundscape], manifest: Manifest) -> Shard:
    made = bank.empty(len(scapes), len(manifest.labels), sum(teacher.classes for teacher in shop.teachers))
    places = {group: place for place, group in enumerate(manifest.groups)}
    for start in range(0, len(scapes), _BATCH):
        batch = slice(start, start + _BATCH)
        audio = np.stack([scape.audio for scape in scapes[batch]])
        made.log_power[batch] = _log_power(shop.power, audio)
        if shop.teachers:
            heard = as_heard(audio)
            made.lessons[batch] = np.concatenate([teacher.logits(heard) for teacher in shop.teachers], axis=1)
    for row, scape in enumerate(scapes):
        made.kinds[row] = KINDS.index(scape.kind)
        made.targets[row] = [label in scape.labels for label in manifest.labels]
        made.groups[row, : len(scape.groups)] = sorted(places[group] for group in scape.groups)
    return made


def _log_power(power: MelPower, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        stereo = torch.from_numpy(audio)[:, None].expand(-1, 2, -1)
        return np.asarray(torch.log(power(stereo) + FLOOR).numpy())
