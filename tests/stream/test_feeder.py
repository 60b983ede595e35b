import time
from collections.abc import Iterator

import numpy as np
import pytest

from models.errors import SourceError
from stream.clock import SampleClock
from stream.feeder import Feeder
from stream.ring import RingBuffer
from stream.source import Block, Cause, ClockKind


class CutSource:
    """A source that says nothing but that it failed."""

    name = "cut"
    uri = "cut:"
    clock: ClockKind = "arrival"
    outage: Cause = "device_lost"
    live = False

    def blocks(self) -> Iterator[Block]:
        yield Block(np.zeros((2, 0), np.float32), time.monotonic_ns())
        raise SourceError("the cable was pulled")

    def stop(self) -> None:
        pass


class LingeringRing(RingBuffer):
    """A ring whose closing is seen well before the thread that closes it goes on."""

    def close(self) -> None:
        super().close()
        time.sleep(0.5)


def test_a_failure_is_known_as_soon_as_the_ring_is_closed() -> None:
    ring = LingeringRing(2, 100)
    with Feeder(CutSource(), ring, SampleClock(44_100)) as feeder:
        ring.wait_until(1, 30)
        assert ring.closed
        with pytest.raises(SourceError, match="the cable was pulled"):
            feeder.check()
