import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.recorder import joined
from tests.stream.sources.remote.packets import make_header, make_packet
from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.audio.timeline import PIECE_SAMPLES
from whoplays.stream.sources.remote.protocol import PacketHeader
from whoplays.stream.sources.remote.receiver import PacketTimeline, SenderLock


def render(headers: list[PacketHeader]) -> list[Block]:
    """The blocks of packets with these headers."""
    timeline = PacketTimeline(headers[0], ChannelSelection())
    return [block for header in headers for block in timeline.append(make_packet(header), time.monotonic_ns())]


def test_a_gap_is_as_long_as_what_is_missing() -> None:
    spans = [(1000, 500), (1500, 500), (102_000, 500)]
    blocks = render([make_header(first, frames, seq=seq) for seq, (first, frames) in enumerate(spans)])
    assert [block.lost for block in blocks] == [None, None, *5 * ["network"], None]
    assert sum(block.audio.shape[1] for block in blocks if block.lost) == 100_000
    assert max(block.audio.shape[1] for block in blocks) == PIECE_SAMPLES
    audio = joined(blocks)
    assert audio.shape == (2, 101_500)
    assert (audio[:, 1000:101_000] == 0).all()
    assert (np.delete(audio, np.s_[1000:101_000], axis=1) == 0.5).all()


def test_a_gap_of_the_sender_keeps_its_cause() -> None:
    blocks = render(
        [make_header(0, 100), make_header(100, 200, seq=1, lost="device_lost"), make_header(350, 100, seq=2)]
    )
    spans = [(block.audio.shape[1], block.lost) for block in blocks]
    assert spans == [(100, None), (200, "device_lost"), (50, "network"), (100, None)]


@settings(max_examples=60)
@given(
    rate_hz=st.sampled_from([8_000, 32_000, 44_100, 48_000, 96_000]),
    spans=st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 5_000)), min_size=1, max_size=8),
)
def test_an_index_is_always_a_time(rate_hz: int, spans: list[tuple[int, int]]) -> None:
    """Whatever is missing, blocks are as long as the time that has elapsed, gaps are zero, and times never go back."""
    ends = list(itertools.accumulate(missing + frames for missing, frames in spans))
    headers = [
        make_header(end - frames, frames, seq=seq, rate_hz=rate_hz)
        for seq, (end, (_, frames)) in enumerate(zip(ends, spans, strict=True))
    ]
    headers.append(make_header(ends[-1], 1000, seq=len(spans), rate_hz=rate_hz, lost="overflow"))
    blocks = render(headers)
    assert joined(blocks).shape[1] == (headers[-1].end - headers[0].first) * SAMPLE_RATE_HZ // rate_hz
    assert all((block.audio == 0).all() for block in blocks if block.lost)
    captured_at_ns = [block.captured_at_ns for block in blocks]
    assert captured_at_ns == sorted(captured_at_ns)


def test_a_missing_channel_is_refused() -> None:
    with pytest.raises(SourceError, match=r"channel 3.*2"):
        PacketTimeline(make_header(), ChannelSelection(channels=(3,)))


@pytest.mark.parametrize(
    ("header", "elapsed_s", "admission"),
    [
        (make_header(2205, seq=1), 60.0, "next"),
        (make_header(2205 + 30 * 44_100, seq=9), 0.0, "next"),
        (make_header(2206 + 30 * 44_100, seq=9), 0.0, "new_session"),
        (make_header(0, seq=0), 1.9, "out_of_order"),
        (make_header(100, seq=1), 1.9, "out_of_order"),
        (make_header(2205, seq=1, encoding="f32le"), 1.9, "out_of_order"),
        (make_header(2205, seq=1, encoding="f32le"), 2.1, "new_session"),
        (make_header(session="two"), 0.4, "foreign"),
        (make_header(session="two"), 0.6, "new_session"),
    ],
)
def test_a_session_is_its_senders_while_that_is_alive(
    monkeypatch: pytest.MonkeyPatch, header: PacketHeader, elapsed_s: float, admission: str
) -> None:
    now_s = 100.0
    monkeypatch.setattr("whoplays.stream.sources.remote.receiver.time.monotonic_ns", lambda: int(now_s * 1e9))
    lock = SenderLock(make_header())
    now_s += elapsed_s
    assert lock.admit(header, sole_sender=True) == admission


def test_with_both_connected_the_first_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("whoplays.stream.sources.remote.receiver.time.monotonic_ns", lambda: int(now_s * 1e9))
    lock, other = SenderLock(make_header()), make_header(session="two")
    now_s += 1.9
    assert lock.admit(other, sole_sender=False) == "foreign"
    now_s += 0.2
    assert lock.admit(other, sole_sender=False) == "new_session"
