"""When each sample is due, decided before the first is sent."""

from dataclasses import dataclass
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ

BLOCK_SAMPLES: Final = SAMPLE_RATE_HZ // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """An open loop: it says when samples are due, whatever becomes of them.

    Samples leave in blocks of 10 ms, each when its last sample is due. A window that closes within a block waits for
    the rest of the block, as it would with any source that sends packets.
    """

    start_ns: int
    """Monotonic time at which the first sample begins."""
    window_samples: int
    hop_samples: int
    windows: int
    """One or more."""

    @property
    def samples(self) -> int:
        """As many as the windows need."""
        return self.window_ends[-1]

    @property
    def window_ends(self) -> range:
        """For each window the index after its last sample."""
        first = self.window_samples
        return range(first, first + self.windows * self.hop_samples, self.hop_samples)

    @property
    def block_ends(self) -> list[int]:
        """For each block the index after its last sample; the last block ends with the last window."""
        return [min(start + BLOCK_SAMPLES, self.samples) for start in range(0, self.samples, BLOCK_SAMPLES)]

    @property
    def last_due_ns(self) -> int:
        """Monotonic time at which the last sample is due."""
        return self.due_ns(self.samples)

    def due_ns(self, index: int) -> int:
        """Monotonic time at which the sample before `index` is due."""
        return self.start_ns + index * 1_000_000_000 // SAMPLE_RATE_HZ


def block_of(index: int) -> int:
    """The number of the block that holds the sample before `index`."""
    return (index - 1) // BLOCK_SAMPLES
