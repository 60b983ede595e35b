"""How memory is handed back to the system."""

import ctypes
import sys


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
