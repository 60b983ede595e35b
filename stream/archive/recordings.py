"""Which recordings are to be labelled, and what tells one from another."""

import glob
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.archive.remote import facts, find_stored, is_remote, is_stored, name_of
from whoplays.stream.common.paths import check_regular
from whoplays.stream.common.uri import redact

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
    """Its path or address."""
    name: str
    """What its results are called, relative to their folder."""


def find_recordings(places: Iterable[str]) -> list[Recording]:
    """The recordings that paths and addresses stand for: files, folders, patterns, and `-` for a list to read.

    Each is found once. What does not exist is found too: that is told when it is labelled. Where several would have one
    name, each is called by its whole path, or has its address's digest behind it.

    All of them are held in memory: some 0.4 kB each.

    Raises:
        SourceError: an address is of no recording, or an object store does not answer.
        OptionError: what reads an object store is not installed.
    """
    found: dict[str, Recording] = {}
    for recording in _found(places):
        found.setdefault(_identity(recording.place), recording)
    names = Counter(recording.name for recording in found.values())
    return [
        recording if names[recording.name] == 1 else recording._replace(name=_whole_name(recording))
        for recording in found.values()
    ]


def stamp(recording: Recording) -> bytes:
    """Tells a recording as it is now from all others, and from what it was before.

    By its name, size, time, and what stands at its beginning and its end; elsewhere by what is said of it there.
    """
    digest = hashlib.blake2b(os.fsencode(recording.name), digest_size=16)
    if is_remote(recording.place):
        digest.update(_remote_facts(recording.place).encode(errors="replace"))
        return digest.digest()
    try:
        check_regular(Path(recording.place))
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
    """A recording's place as it is told: of an address by HTTP what is no secret, and a digest of what is not shown."""
    if is_remote(place) and not is_stored(place):
        told = redact(place)
        return f"{told}#{_digest(place)}" if "…" in told else told
    return os.fsencode(place).decode(errors="replace")


def _found(places: Iterable[str]) -> Iterator[Recording]:
    for place in places:
        path = Path(place)
        if place == "-":
            yield from _found(map(_listed, filter(bytes.strip, sys.stdin.buffer)))
        elif is_remote(place):
            yield from _found_remote(place)
        elif _is_folder(path):
            yield from (Recording(str(each), str(each.relative_to(path))) for each in sorted(_files_in(path)))
        elif not glob.has_magic(place) or _exists(path):
            yield Recording(place, path.name)
        else:
            yield from _found(sorted(glob.glob(place, recursive=True)))  # noqa: PTH207  as it was given, absolute or not


def _listed(line: bytes) -> str:
    if b"\0" in line:
        raise SourceError("a list of recordings must have one in each line; this one has zero bytes")
    return os.fsdecode(line.rstrip(b"\n"))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        # It is told when it is labelled.
        return False


def _files_in(folder: Path) -> Iterator[Path]:
    """The recordings in a folder, behind links as well, each folder once; and the folders that cannot be read."""
    seen, refused = set[tuple[int, int]](), list[Path]()
    for place, folders, names in os.walk(
        folder, onerror=lambda error: refused.append(Path(error.filename)), followlinks=True
    ):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # The one of several ways to a folder that gives its recordings their names is the same in every call.
        folders.sort()
        yield from (each for name in names if (each := Path(place, name)).suffix.lower() in SUFFIXES_OF_AUDIO)
    yield from refused


def _found_remote(place: str) -> Iterator[Recording]:
    if not is_stored(place):
        yield Recording(place, name_of(place))
        return
    for address, name in find_stored(place) or [(place, name_of(place))]:
        if address == place or Path(name).suffix.lower() in SUFFIXES_OF_AUDIO:
            yield Recording(address, _inside(name))


def _remote_facts(place: str) -> str:
    try:
        return f"{place} {facts(place)}"
    except SourceError as error:
        return str(error)


def _identity(place: str) -> str:
    return place if is_remote(place) else os.path.realpath(place)


def _whole_name(recording: Recording) -> str:
    if is_remote(recording.place):
        return f"{recording.name}-{_digest(recording.place)}"
    return _inside(os.path.abspath(recording.place))  # noqa: PTH100  without `..`, which would lead elsewhere


def _inside(name: str) -> str:
    """A path that stays within the folder that it is put into."""
    return str(Path(*(part for part in Path(name).parts if part not in {"/", ".."})))


def _digest(place: str) -> str:
    return hashlib.blake2b(place.encode(errors="replace"), digest_size=4).hexdigest()
