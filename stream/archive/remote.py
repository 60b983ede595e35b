"""Recordings elsewhere: by HTTP where they are finite, and in object stores through fsspec."""

import glob
import importlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote, urlsplit

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.ffmpeg.http_bytes import http_response, stated_length
from whoplays.stream.sources.ffmpeg.proxy import EgressProxy

HTTP: Final = frozenset({"http", "https"})
STORES: Final = frozenset({"s3", "gs", "abfs"})
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def is_remote(place: str) -> bool:
    """Whether a place is an address, and no path.

    Raises:
        SourceError: it is one of no recording.
    """
    found = _SCHEME.match(place)
    if found and found[1].lower() not in HTTP | STORES:
        known = ", ".join(f"{scheme}://" for scheme in sorted(HTTP | STORES))
        raise SourceError(f"recordings must be files, or addresses that begin with {known}; got {redact(place)}")
    return found is not None


def is_stored(place: str) -> bool:
    """Whether an address is one of an object store."""
    return place.partition("://")[0].lower() in STORES


def find_stored(place: str) -> list[tuple[str, str]]:
    """The addresses of objects that an address, a prefix or a pattern of an object store stands for, with their names.

    Raises:
        SourceError: the store refuses, or does not answer.
        OptionError: what reads it is not installed.
    """
    store, path = _store(place)
    scheme = place.partition("://")[0]
    with _refused(place):
        found = sorted(store.glob(path) if glob.has_magic(path) else store.find(path))
    folder = "" if glob.has_magic(path) or found == [path] else path.rstrip("/") + "/"
    names = (each.removeprefix(folder) if folder else each.rpartition("/")[2] for each in found)
    return [(f"{scheme}://{each}", name) for each, name in zip(found, names, strict=True)]


def facts(place: str) -> str:
    """What tells whether a recording has changed, without reading it.

    Raises:
        SourceError: it cannot be had.
    """
    if is_stored(place):
        store, path = _store(place)
        with _refused(place):
            info = store.info(path)
        return f"{info['size']} {info.get('e_tag')} {info.get('last_modified')}"
    with EgressProxy(place) as proxy, http_response(place, proxy) as response:
        return " ".join(
            f"{name}: {response.headers[name]}" for name in ("Content-Range", "Content-Length", "ETag", "Last-Modified")
        )


@contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """A recording as a file; that of one elsewhere is gone afterwards, however this process ends.

    Raises:
        SourceError: it cannot be had, or has no end.
    """
    if not is_remote(place):
        yield Path(place)
        return
    with tempfile.TemporaryFile(prefix="whoplays-") as file:
        if is_stored(place):
            store, path = _store(place)
            with _refused(place), store.open(path, "rb") as stored:
                shutil.copyfileobj(stored, file, 1 << 20)
        else:
            _download(place, file)
        file.flush()
        yield Path("/dev/fd", str(file.fileno()))


def _download(place: str, file: IO[bytes]) -> None:
    with EgressProxy(place) as proxy, http_response(place, proxy) as response:
        length = stated_length(response)
        if length is None:
            raise SourceError(f"{redact(place)} states no length; follow a stream with whoplays listen")
        shutil.copyfileobj(response, file, 1 << 20)
        if file.tell() < length:
            raise SourceError(f"{redact(place)} ended after {file.tell()} of {length} bytes; try again")


def _store(place: str) -> tuple[Any, str]:
    scheme, _, path = place.partition("://")
    return _file_system(scheme.lower()), path


@cache
def _file_system(scheme: str) -> Any:
    try:
        fsspec, stores = (importlib.import_module(name) for name in ("fsspec", "obstore.fsspec"))
    except ModuleNotFoundError as error:
        raise OptionError(f"{scheme}:// needs obstore; install whoplays[objects]") from error
    stores.register(scheme)
    return fsspec.filesystem(scheme)


@contextmanager
def _refused(place: str) -> Iterator[None]:
    """Let what an object store's client raises be one of our errors, of one line.

    Raises:
        SourceError: it did.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{place} not found") from error
    except Exception as error:  # its errors share no base but this one
        reason = " ".join(str(error).partition("\n")[0].split())
        raise SourceError(f"{place} cannot be had: {reason[:300]}") from error


def name_of(place: str) -> str:
    """What a recording's results may be called by its address: its last part, in no other folder."""
    name = unquote(urlsplit(place).path).rstrip("/").rpartition("/")[2]
    kept = re.sub(r"[\x00-\x1f\x7f]", "", name)[-100:]
    return kept if kept.strip(".") else "recording"
