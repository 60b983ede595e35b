"""Files that are there whole or not at all, and what is raised for those that are not whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Final

import msgspec
from soundfile import LibsndfileError

from whoplays.models.errors import DataError

DAMAGED: Final = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    RuntimeError,
    UnpicklingError,
)
"""What is raised for a file that torch did not write, or of which a part is missing."""


def reason(error: Exception) -> str:
    """The first sentence of what an error says, or its type: torch goes on with guesses, and with unsafe advice."""
    if not str(error):
        return type(error).__name__
    return str(error).splitlines()[0].partition(". ")[0].rstrip(".")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its place, or that of an earlier one, when all is written.

    Whoever reads meanwhile finds the earlier one or none; where writing fails, that is left as it was.

    Yields:
        A path beside it, with the same suffix; its folder is made where there is none.

    Raises:
        DataError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except (OSError, LibsndfileError) as error:
        raise DataError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error
    finally:
        with suppress(OSError):  # where the folder cannot be written to, nothing was
            unfinished.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write any message or mapping as indented JSON; an earlier file stands until all is written.

    Raises:
        DataError: it cannot be written.
    """
    with atomic_write(path) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
