"""clock."""

import time


def wall_ns(monotonic_ns: int) -> int:
    """The wall time (Unix epoch) of a moment on the monotonic clock, by the clocks as they stand now."""
    return time.time_ns() - (time.monotonic_ns() - monotonic_ns)
