"""Exceptions that nobody has foreseen: each is reported once, and costs no other stream anything."""

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

FaultHandler = Callable[[str, Exception], None]
"""Called with the stream's name and what was raised; from any thread."""


def print_fault(stream: str, error: Exception) -> None:
    """Print a traceback on standard error."""
    with suppress(OSError):
        print(f"whoplays: stream {stream} failed unexpectedly", file=sys.stderr)
        traceback.print_exception(error)


class Faults:
    """The unforeseen exceptions of one stream.

    Args:
        stream: its name.
        handler: is called once for each place and kind, however often a source is opened again and fails there.
    """

    def __init__(self, stream: str, handler: FaultHandler) -> None:
        self._stream: Final = stream
        self._handler: Final = handler
        self._told: Final[set[tuple[type[Exception], str]]] = set()

    def tell(self, error: Exception) -> str:
        """Tell of what was raised, unless it was told before; what and where it was, in one line."""
        place = _place(error)
        if (type(error), place) not in self._told:
            self._told.add((type(error), place))
            self._handler(self._stream, error)
        return f"{self._stream} failed unexpectedly: {' '.join(repr(error).split())} in {place}"


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "an unknown place"
