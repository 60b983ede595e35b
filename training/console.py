"""Where commands say what they are doing: on standard error, names of files and sources as they are."""

from collections.abc import Callable
from typing import Final

from rich.console import Console

# No markup: IRMAS has names such as [gac][pop_roc]0571__1.wav.
NOTES: Final = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def counting(what: str) -> Callable[[int], None]:
    """What says how many there are each time that it is told of some more."""
    total = 0

    def more(count: int) -> None:
        nonlocal total
        total += count
        NOTES.print(f"{total} {what}")

    return more


def counted(number: int, noun: str) -> str:
    """So many of something, as in `1 recording` and `2 recordings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
