"""Pages that a command makes: known by their first line, so that nothing else is written over."""

import os
from pathlib import Path

from whoplays.models.errors import OptionError


def refuse_another(path: Path, mark: str) -> None:
    """See that a page can be written, before time is spent on what it tells, and takes no other file's place.

    Args:
        mark: what pages of this kind begin with.

    Raises:
        OptionError: it cannot, or would.
    """
    if not path.suffix:
        raise OptionError(f"--report {path}: give the page a name that ends with .md")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise OptionError(f"cannot write a page to {path}; give a file that can be written")
    if path.exists() and not path.read_bytes().startswith(mark.encode()):
        raise OptionError(f"{path} is no page of an earlier --report and is not written over; give another file")
