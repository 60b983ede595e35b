"""A bank: prepared windows on disk, as mel power with labels and what teachers make of them.

BANK/
  manifest.json    what it is made of; a bank is gone on with only by the same
  shard-00000.npz  256 windows each, the same for the same manifest
"""

import hashlib
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.music import licences
from whoplays.training.networks.log_mel import FRAMES, MELS
from whoplays.training.run import write_json
from whoplays.training.whole import whole
from whoplays.training.windows import soundscapes

KINDS: Final = ("solo", "mix", "music")
_GENERATION: Final = 2
_NOBODY: Final = -1
_SHARDS: Final = "shard-?????.npz"
_OWN: Final = ("manifest.", "shard-")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank is made of."""

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    """All groups that may be heard in it; windows refer to them by place."""
    clips: int
    digest: str
    """Of the clips' names, labels, groups and kinds, in their order: it decides what is drawn."""
    music: str | None
    """Folder of unlabelled music."""
    songs: tuple[tuple[str, str], ...] = ()
    """Names and licences of what is in it; older manifests do not say."""
    rooms: str | None
    """Folder of impulse responses."""
    teachers: tuple[str, ...]
    seed: int
    generation: int | msgspec.UnsetType = msgspec.UNSET
    """Counts changes of this package after which the same seed gives other windows; older manifests do not say."""


class Shard(NamedTuple):
    """Windows as they are kept."""

    log_power: NDArray[np.float16]
    """`float16 [windows, 148, 64]`: natural logarithm of mel power, at an RMS of 1 where it sounds."""
    kinds: NDArray[np.int8]
    """`int8 [windows]`: place in `KINDS`."""
    targets: NDArray[np.bool_]
    """`bool [windows, labels]`; all false where nobody knows."""
    groups: NDArray[np.int32]
    """`int32 [windows, 4]`: places in the manifest's groups, -1 for none; in older banks `int16`."""
    lessons: NDArray[np.float16]
    """`float16 [windows, classes]`: the teachers' logits side by side; no columns without teachers."""


class Bank(NamedTuple):
    """All windows that a run may hear."""

    windows: Shard
    labels: tuple[str, ...]

    def solos(self, label: str | None) -> NDArray[np.intp]:
        """Places of the windows in which that instrument plays alone; of other sounds for None."""
        alone = self.windows.kinds == KINDS.index("solo")
        plays = self.windows.targets[:, self.labels.index(label)] if label else ~self.windows.targets.any(axis=1)
        return np.flatnonzero(alone & plays)

    def without_lessons(self) -> "Bank":
        """The same windows, of which no teacher has said anything."""
        return self._replace(windows=self.windows._replace(lessons=self.windows.lessons[:, :0]))


def describe(
    clips: Sequence[Clip],
    labels: tuple[str, ...],
    music: Path | None,
    rooms: Path | None,
    teachers: Iterable[str],
    seed: int,
) -> Manifest:
    """The manifest of a bank of these clips.

    Raises:
        DataError: the music's table of licences is none.
    """
    facts = [clip.described() for clip in clips]
    return Manifest(
        labels=labels,
        groups=tuple(sorted({clip.group for clip in clips})),
        clips=len(clips),
        digest=hashlib.sha256(b"\n".join(facts)).hexdigest()[:16],
        music=str(music.resolve()) if music else None,
        songs=tuple(licences(music)) if music else (),
        rooms=str(rooms.resolve()) if rooms else None,
        teachers=tuple(teachers),
        seed=seed,
        generation=_GENERATION,
    )


def begin(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, or see that the bank that is there is of the same.

    Raises:
        DataError: the folder holds another bank, or anything else, or cannot be written to.
    """
    path = folder / "manifest.json"
    if path.is_file():
        if _settings(read_manifest(folder)) != _settings(manifest):
            raise DataError(
                f"{folder} holds a bank of other recordings or settings, or of an older version; choose another folder"
            )
        return
    if folder.is_dir() and any(not each.name.startswith(_OWN) for each in folder.iterdir()):
        raise DataError(f"{folder} holds something else than a bank; choose another folder for it")
    write_json(path, manifest)


def _settings(manifest: Manifest) -> Manifest:
    """What decides whether two banks are of the same: not whose the music is."""
    return msgspec.structs.replace(manifest, songs=())


def fingerprint(folder: Path) -> str:
    """What a bank is known by: what it is made of, and how many windows.

    Raises:
        DataError: the folder holds no bank.
    """
    made_of = msgspec.json.encode(_settings(read_manifest(folder)))
    shards = sum(1 for _ in folder.glob(_SHARDS))
    return f"{hashlib.sha256(made_of).hexdigest()[:16]}-{shards}"


def songs(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Names and licences of the unlabelled music in a bank; for an older one, as its folder tells them now."""
    if manifest.songs or not manifest.music:
        return manifest.songs
    return tuple(licences(Path(manifest.music)))


def read_manifest(folder: Path) -> Manifest:
    """What a bank is made of.

    Raises:
        DataError: the folder holds no bank.
    """
    try:
        return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DataError(f"{folder} holds no bank ({error}); make one: whoplays material {folder} --data DIR") from error


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard is kept."""
    return folder / f"shard-{number:05d}.npz"


def missing(folder: Path, windows: int) -> list[int]:
    """Which shards are still to be made for so many windows."""
    return [n for n in range(-(-windows // soundscapes.SHARD_WINDOWS)) if not shard_path(folder, n).is_file()]


def keep(folder: Path, number: int, shard: Shard) -> None:
    """Write a shard; it appears only once it is whole."""
    with whole(shard_path(folder, number)) as unfinished:
        np.savez(unfinished, **shard._asdict())


def load(folders: Sequence[Path], may_hear: Container[str]) -> Bank:
    """All windows of these banks made of nothing but groups that may be heard.

    Raises:
        DataError: there is no bank, the banks are of different labels or teachers, or no window may be heard.
    """
    manifests = [read_manifest(folder) for folder in folders]
    if len({(manifest.labels, manifest.teachers) for manifest in manifests}) > 1:
        raise DataError("only banks of the same labels and teachers can be used together")
    shards: list[Shard] = []
    for folder, manifest in zip(folders, manifests, strict=True):
        allowed = np.array([group in may_hear for group in manifest.groups] + [True])
        shards += [_allowed(path, allowed) for path in sorted(folder.glob(_SHARDS))]
    if not any(len(shard.kinds) for shard in shards):
        raise DataError(f"no window in {', '.join(map(str, folders))} is made only of what this run may hear")
    return Bank(Shard(*(np.concatenate(column) for column in zip(*shards, strict=True))), manifests[0].labels)


def empty(windows: int, labels: int, classes: int) -> Shard:
    """A shard to be filled in."""
    return Shard(
        np.empty((windows, FRAMES, MELS), np.float16),
        np.zeros(windows, np.int8),
        np.zeros((windows, labels), np.bool_),
        np.full((windows, 4), _NOBODY, np.int32),
        np.zeros((windows, classes), np.float16),
    )


def _allowed(path: Path, allowed: NDArray[np.bool_]) -> Shard:
    try:
        with path.open("rb") as file, np.load(file) as kept:
            whole = Shard(*(kept[name] for name in Shard._fields))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and make the bank again") from error
    # The last place of `allowed` is that of _NOBODY.
    good = allowed[whole.groups].all(axis=1)
    return Shard(whole.log_power[good], whole.kinds[good], whole.targets[good], whole.groups[good], whole.lessons[good])
