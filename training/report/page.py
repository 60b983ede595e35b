"""Pages that a command makes: known by their first line, so that nothing else is written over, and signed."""

import hashlib
import os
from pathlib import Path
from typing import Final

from whoplays.models.errors import DataError, OptionError

ACCURACY: Final = "<!-- Made by whoplays evaluate --report; do not edit. -->"
BASELINES: Final = "<!-- Made by whoplays baselines --report; do not edit. -->"
BASELINES_BEFORE: Final = "<!-- Made by whoplays table --report; do not edit. -->"
"""What the page of baselines began with when the verb was called so."""


def refuse_another(path: Path, *marks: str) -> None:
    """Refuse a path that no page can be written to, or that holds anything else, before time is spent on the page.

    Args:
        marks: what pages of this kind begin with, or began with.

    Raises:
        OptionError: it cannot be written, or holds another file.
    """
    if not path.suffix:
        raise OptionError(f"--report {path}: give the page a name that ends with .md")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise OptionError(f"cannot write a page to {path}; give a file that can be written")
    if path.exists() and not path.read_bytes().startswith(tuple(mark.encode() for mark in marks)):
        raise OptionError(f"{path} is no page of an earlier --report and is not written over; give another file")


def signed(body: str) -> str:
    """A page with its digest at the end."""
    return f"{body.rstrip()}\n\n<!-- {_digest(body.rstrip())} -->\n"


def check_signature(text: str) -> None:
    """Refuse an accuracy page that is not as it was made.

    Raises:
        DataError: it was edited, or was never made.
    """
    body, _, last = text.rstrip().rpartition("\n")
    if not text.startswith(ACCURACY) or last != f"<!-- {_digest(body.rstrip())} -->":
        raise DataError("the page is not as whoplays evaluate --report made it; make it again")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
