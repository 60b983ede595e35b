"""Files that appear only once they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its place, or that of an earlier one, when all is written.

    Whoever reads meanwhile finds the earlier one or none; where writing fails, that is left as it was.

    Yields:
        A path beside it, with the same suffix.
    """
    unfinished = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
