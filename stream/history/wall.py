"""From samples of a session to wall time."""

from collections import deque
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ

ANCHORS: Final = 4


class WallClock:
    """Tells when a sample was heard, from the newest windows' ends.

    A few windows back it is exact; before and after them the nominal sample rate is taken for granted.
    """

    def __init__(self) -> None:
        self._anchors: Final = deque[tuple[int, int]](maxlen=ANCHORS)

    def mark(self, sample: int, heard_ns: int) -> None:
        """The sample before index `sample` was heard at `heard_ns`, wall time."""
        self._anchors.append((sample, heard_ns))

    def heard_ns(self, sample: int, otherwise_ns: int) -> int:
        """When the sample before index `sample` was heard; `otherwise_ns` if nothing was marked yet.

        >>> clock = WallClock()
        >>> clock.mark(44_100, 5_000_000_000)
        >>> clock.heard_ns(22_050, 0)
        4500000000
        """
        if not self._anchors:
            return otherwise_ns
        later = (anchor for anchor in self._anchors if anchor[0] >= sample)
        marked, heard_ns = next(later, self._anchors[-1])
        return heard_ns - (marked - sample) * 1_000_000_000 // SAMPLE_RATE_HZ
