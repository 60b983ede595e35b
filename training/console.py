"""Where commands say what they are doing: on standard error, names of files and sources as they are."""

from collections.abc import Callable
from typing import Final

from rich.console import Console

# No markup: IRMAS has names such as [gac][pop_roc]0571__1.wav.
NOTES: Final = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def counting(what: str) -> Callable[[int], None]:
    """What says how many there are each time that it is told of some more."""
    counted = 0

    def more(count: int) -> None:
        nonlocal counted
        counted += count
        NOTES.print(f"{counted} {what}")

    return more
