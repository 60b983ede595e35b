"""What every training command needs: notes on standard error, checks of its options, and how memory is kept."""

import ctypes
import sys
from collections.abc import Callable
from typing import Final

from rich.console import Console

from whoplays.models.errors import OptionError

# No markup: IRMAS has names such as [gac][pop_roc]0571__1.wav.
NOTES: Final = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def counting(what: str) -> Callable[[int], None]:
    """A function that adds to a count and prints the new total, as in `512 windows made`."""
    total = 0

    def more(count: int) -> None:
        nonlocal total
        total += count
        NOTES.print(f"{total} {what}")

    return more


def counted(number: int, noun: str) -> str:
    """So many of something, as in `1 recording` and `2 recordings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check_at_least(option: str, value: float, least: int) -> None:
    """Check an option's value.

    Raises:
        OptionError: it is less than the least.
    """
    if value < least:
        raise OptionError(f"--{option} must be at least {least}, got {value}")


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next batch instead of handing it back to the kernel page by page.

    Activations of raw-waveform networks are gigabytes a batch; this more than doubles their speed on a CPU.
    """
    if sys.platform != "linux":
        return
    mmap_max, trim_threshold = -4, -1
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)
