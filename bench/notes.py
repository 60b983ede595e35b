"""What a `whoplays` command under test says to people."""

from collections.abc import Sequence
from typing import Final

NOTE: Final = "whoplays: "


def last_words(lines: Sequence[str]) -> str:
    """The last line of what a command said, which tells why it ended; empty if it said nothing."""
    return lines[-1].removeprefix(NOTE) if lines else ""
