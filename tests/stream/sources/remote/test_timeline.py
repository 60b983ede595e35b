"""GapTracker become zeros of their true length, at any rate."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.remote.make_packets import joined, lost_samples, make_header, make_packet
from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.audio.timeline import PIECE_SAMPLES
from whoplays.stream.sources.remote.receiver import PacketTimeline


def place(spans: list[tuple[int, int]], rate_hz: int = SAMPLE_RATE_HZ, lost: int = 0) -> list[Block]:
    """What comes out for packets of given first frames and lengths, and a last one of frames that were lost."""
    headers = [make_header(first, frames, seq=seq, rate_hz=rate_hz) for seq, (first, frames) in enumerate(spans)]
    end = headers[-1].end
    headers += [make_header(end, lost, seq=len(spans), rate_hz=rate_hz, lost="overflow")] if lost else []
    timeline = PacketTimeline(headers[0], ChannelSelection())
    return [block for header in headers for block in timeline.place(make_packet(header), time.monotonic_ns())]


def test_a_hole_is_as_long_as_what_is_missing() -> None:
    blocks = place([(1000, 500), (1500, 500), (102_000, 500)])
    assert [block.lost for block in blocks] == [None, None, *5 * ["network"], None]
    assert lost_samples(blocks) == 100_000
    assert max(block.audio.shape[1] for block in blocks) == PIECE_SAMPLES
    audio = joined(blocks)
    assert audio.shape == (2, 101_500)
    assert (audio[:, 1000:101_000] == 0).all()
    assert (np.delete(audio, np.s_[1000:101_000], axis=1) == 0.5).all()


def test_what_was_lost_at_the_source_keeps_its_cause() -> None:
    headers = [make_header(0, 100), make_header(100, 200, seq=1, lost="device_lost"), make_header(350, 100, seq=2)]
    timeline = PacketTimeline(headers[0], ChannelSelection())
    blocks = [block for header in headers for block in timeline.place(make_packet(header), time.monotonic_ns())]
    told = [(block.audio.shape[1], block.lost) for block in blocks]
    assert told == [(100, None), (200, "device_lost"), (50, "network"), (100, None)]


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([8_000, 32_000, 44_100, 48_000, 96_000]),
    spans=st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 5_000)), min_size=1, max_size=8),
)
def test_an_index_is_always_a_time(rate_hz: int, spans: list[tuple[int, int]]) -> None:
    """Whatever is missing, what comes out lies where it belongs; zeros for it hold nothing else; time does not turn."""
    firsts = list(itertools.accumulate(hole + frames for hole, frames in spans))
    placed = [(end - frames, frames) for end, (_, frames) in zip(firsts, spans, strict=True)]
    blocks = place(placed, rate_hz, lost=1000)
    elapsed = placed[-1][0] + placed[-1][1] - placed[0][0] + 1000
    assert joined(blocks).shape[1] == elapsed * SAMPLE_RATE_HZ // rate_hz
    assert all((block.audio == 0).all() for block in blocks if block.lost)
    heard = [block.captured_at_ns for block in blocks]
    assert heard == sorted(heard)


def test_a_channel_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match="there is no channel 3; there are 2"):
        PacketTimeline(make_header(), ChannelSelection(channels=(3,)))
