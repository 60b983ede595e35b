"""Prepared windows on disk, in shards: mel power with labels, and whose recordings each window is made of.

FOLDER/
  manifest.json    what they are made of; a folder is continued only from the same
  shard-00000.npz  256 windows each, the same for the same manifest
"""

import hashlib
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.data.clip import Clip
from whoplays.training.files import atomic_write, write_json
from whoplays.training.windows import soundscapes

KINDS: Final = ("solo", "mix")
_GENERATION: Final = 5
_NO_GROUP: Final = -1
_SHARDS: Final = "shard-?????.npz"
_OWN: Final = ("manifest.", "shard-")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What prepared windows are made of."""

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    """All groups that may be in them; windows refer to them by index."""
    clips: int
    digest: str
    """Of the clips' names, labels, groups and kinds, in their order: it decides what is drawn."""
    rooms: str | None
    """Folder of impulse responses."""
    seed: int
    generation: int = 0
    """Counts changes of this package after which the same seed gives other windows; the oldest manifests have none."""


class Shard(NamedTuple):
    """Windows as they are kept."""

    log_power: NDArray[np.float16]
    """`float16 [windows, 298, 128]`: natural logarithm of mel power, at an RMS of 1 where it sounds."""
    kinds: NDArray[np.int8]
    """`int8 [windows]`: index in `KINDS`."""
    targets: NDArray[np.bool_]
    """`bool [windows, labels]`"""
    groups: NDArray[np.int32]
    """`int32 [windows, 4]`: indices in the manifest's groups, -1 for none."""

    def select(self, rows: NDArray[np.bool_]) -> "Shard":
        """Those of the windows."""
        return Shard(self.log_power[rows], self.kinds[rows], self.targets[rows], self.groups[rows])


class PreparedWindows(NamedTuple):
    """All windows that a run may train on."""

    windows: Shard
    labels: tuple[str, ...]

    def solos(self, label: str | None) -> NDArray[np.intp]:
        """Indices of the windows in which that instrument plays alone; of other sounds for None."""
        alone = self.windows.kinds == KINDS.index("solo")
        plays = self.windows.targets[:, self.labels.index(label)] if label else ~self.windows.targets.any(axis=1)
        return np.flatnonzero(alone & plays)


def describe(clips: Sequence[Clip], labels: tuple[str, ...], rooms: Path | None, seed: int) -> Manifest:
    """The manifest of windows made of these clips."""
    facts = [clip.described() for clip in clips]
    return Manifest(
        labels=labels,
        groups=tuple(sorted({clip.group for clip in clips})),
        clips=len(clips),
        digest=hashlib.sha256(b"\n".join(facts)).hexdigest()[:16],
        rooms=str(rooms.resolve()) if rooms else None,
        seed=seed,
        generation=_GENERATION,
    )


def begin(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, or see that what is there is made of the same.

    Raises:
        DataError: the folder holds other windows, or anything else, or cannot be written to.
    """
    path = folder / "manifest.json"
    if path.is_file():
        if read_manifest(folder) != manifest:
            raise DataError(
                f"{folder} holds windows of other recordings or settings, or of an older version; choose another folder"
            )
        return
    if folder.is_dir() and any(not each.name.startswith(_OWN) for each in folder.iterdir()):
        raise DataError(f"{folder} holds something else than prepared windows; choose another folder for them")
    write_json(path, manifest)


def fingerprint(folder: Path) -> str:
    """What prepared windows are known by: what they are made of, and how many shards.

    Raises:
        DataError: the folder holds none.
    """
    made_of = msgspec.json.encode(read_manifest(folder))
    shards = sum(1 for _ in folder.glob(_SHARDS))
    return f"{hashlib.sha256(made_of).hexdigest()[:16]}-{shards}"


def read_manifest(folder: Path) -> Manifest:
    """What prepared windows are made of.

    Raises:
        DataError: the folder holds none.
    """
    try:
        return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DataError(
            f"prepared windows not found in {folder} ({error}); make them: whoplays prepare {folder} --data DIR"
        ) from error


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard is kept."""
    return folder / f"shard-{number:05d}.npz"


def missing_shards(folder: Path, windows: int) -> list[int]:
    """Which shards are still to be made for so many windows."""
    return [n for n in range(-(-windows // soundscapes.SHARD_WINDOWS)) if not shard_path(folder, n).is_file()]


def write_shard(folder: Path, number: int, shard: Shard) -> None:
    """Write a shard; it appears only once it is whole."""
    with atomic_write(shard_path(folder, number)) as unfinished:
        np.savez(unfinished, **shard._asdict())


def load(folders: Sequence[Path], usable: Container[str], labels: tuple[str, ...]) -> PreparedWindows:
    """All windows in these folders made of nothing but usable groups, with these labels: others are other sounds.

    Raises:
        DataError: a folder holds no windows, or none is left.
    """
    shards: list[Shard] = []
    for folder in folders:
        manifest = read_manifest(folder)
        # The last index, -1, is that of _NO_GROUP.
        allowed = np.array([*(group in usable for group in manifest.groups), True])
        columns = [manifest.labels.index(label) if label in manifest.labels else -1 for label in labels]
        for path in sorted(folder.glob(_SHARDS)):
            shard = _read_shard(path)
            shard = shard.select(np.asarray(allowed[shard.groups].all(axis=1)))
            shards.append(shard._replace(targets=np.pad(shard.targets, ((0, 0), (0, 1)))[:, columns]))
    if not any(len(shard.kinds) for shard in shards):
        raise DataError(f"no window in {', '.join(map(str, folders))} is made only of what this run may train on")
    return PreparedWindows(Shard(*(np.concatenate(column) for column in zip(*shards, strict=True))), labels)


def empty_shard(windows: int, labels: int) -> Shard:
    """A shard to be filled in."""
    return Shard(
        np.empty((windows, FRAMES, BANDS), np.float16),
        np.zeros(windows, np.int8),
        np.zeros((windows, labels), np.bool_),
        np.full((windows, 4), _NO_GROUP, np.int32),
    )


def _read_shard(path: Path) -> Shard:
    try:
        with path.open("rb") as file, np.load(file) as kept:
            shard = Shard(*(kept[name] for name in Shard._fields))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and prepare the windows again") from error
    if shard.log_power.shape[1:] != (FRAMES, BANDS):
        raise DataError(f"{path} is of an older version; prepare the windows again, in another folder")
    return shard
