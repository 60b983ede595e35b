"""Files that appear only once they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soundfile import LibsndfileError

from whoplays.models.errors import DataError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
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
        _discard(unfinished)


def _discard(path: Path) -> None:
    """Leave nothing half written; where the folder cannot be written to, nothing was."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
