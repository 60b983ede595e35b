"""Which recordings are to be labelled, and what tells one from another."""

import glob
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

STAMP_BYTES: Final = 1 << 16
SUFFIXES_OF_AUDIO: Final = frozenset(
    f".{each}"
    for each in (
        *("wav", "flac", "ogg", "oga", "opus", "mp3", "mp2", "m4a", "aac", "ac3"),
        *("aif", "aiff", "caf", "mp4", "mkv", "mka", "webm", "wma", "wv", "ape"),
    )
)
"""Files that are taken from a folder; a file that is named itself may have any name."""


class Recording(NamedTuple):
    """A recording to label."""

    place: str
    """Its path."""
    name: str
    """What its results are called, relative to their folder."""


def find_recordings(places: Iterable[str]) -> list[Recording]:
    """The recordings that paths stand for: files, folders, patterns such as `*.flac`, and `-` for a list to read.

    Each is found once. What does not exist is found too: that is told when it is labelled. Where several would have one
    name, each is called by its whole path.

    All of them are held in memory: some 0.4 kB each.
    """
    found: dict[str, Recording] = {}
    for recording in _found(places):
        found.setdefault(os.path.realpath(recording.place), recording)
    names = Counter(recording.name for recording in found.values())
    return [
        recording if names[recording.name] == 1 else recording._replace(name=_whole_name(recording.place))
        for recording in found.values()
    ]


def stamp(recording: Recording) -> bytes:
    """Tells a recording as it is now from all others, and from what it was before.

    By its name, size, time, and what stands at its beginning and its end.
    """
    digest = hashlib.blake2b(os.fsencode(recording.name), digest_size=16)
    try:
        with Path(recording.place).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(f" {size} {os.fstat(file.fileno()).st_mtime_ns}".encode())
            for start in (0, max(0, size - STAMP_BYTES)):
                file.seek(start)
                digest.update(file.read(STAMP_BYTES))
    except (OSError, ValueError) as error:
        digest.update(str(getattr(error, "errno", error)).encode())
    return digest.digest()


def shown(place: str) -> str:
    """A recording's place as it is told."""
    return os.fsencode(place).decode(errors="replace")


def _found(places: Iterable[str]) -> Iterator[Recording]:
    for place in places:
        path = Path(place)
        if place == "-":
            yield from _found(line.rstrip("\n") for line in sys.stdin if line.strip())
        elif path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES_OF_AUDIO)
            yield from (Recording(str(each), str(each.relative_to(path))) for each in files if each.is_file())
        elif path.exists() or not glob.has_magic(place):
            yield Recording(place, path.name)
        else:
            yield from _found(sorted(glob.glob(place, recursive=True)))  # noqa: PTH207  as it was given, absolute or not


def _whole_name(place: str) -> str:
    return str(Path(*Path(os.path.abspath(place)).parts[1:]))  # noqa: PTH100  without `..`, which would lead elsewhere
