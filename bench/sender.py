"""Sending audio by a schedule, whoever keeps up with it."""

import os
import select
import time
from typing import Final

from whoplays.bench.noise import noise
from whoplays.bench.schedule import Schedule
from whoplays.models.signal import CHANNELS

FRAME_BYTES: Final = 2 * CHANNELS


def send(schedule: Schedule, descriptor: int, cutoff_ns: int) -> list[int]:
    """Write noise as s16le PCM to a pipe, block by block as it is due.

    A full pipe delays the writing, but never the schedule: what is overdue is written as soon as it fits.

    Args:
        schedule: when what is due.
        descriptor: the pipe's writing end.
        cutoff_ns: monotonic time at which to give up.

    Returns:
        For each block the monotonic time at which its writing began; fewer if the cut-off came first, or if nobody
        reads any more.
    """
    os.set_blocking(descriptor, False)
    blocks, sent_ns, start = noise("<i2"), list[int](), 0
    for number, end in enumerate(schedule.block_ends):
        time.sleep(max(0, schedule.due_ns(end) - time.monotonic_ns()) / 1e9)
        sent_ns.append(time.monotonic_ns())
        if not _write(blocks[number % len(blocks)][: (end - start) * FRAME_BYTES], descriptor, cutoff_ns):
            break
        start = end
    return sent_ns


def _write(data: bytes, descriptor: int, cutoff_ns: int) -> bool:
    while data:
        left_s = max(0, cutoff_ns - time.monotonic_ns()) / 1e9
        if not select.select([], [descriptor], [], left_s)[1]:
            return False
        try:
            data = data[os.write(descriptor, data) :]
        except BrokenPipeError:
            return False
    return True
