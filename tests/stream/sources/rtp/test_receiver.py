import tracemalloc
from collections.abc import Iterable
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.rtp.packets import FRAMES, Impairment, impaired, make_audio, make_packet, packetize
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import decode
from whoplays.stream.sources.rtp.address import formats_for_all_types
from whoplays.stream.sources.rtp.jitter import FrameSpan
from whoplays.stream.sources.rtp.packet import STATIC_FORMATS, RtpFormat, RtpFormats, RtpPacket, parse_packet
from whoplays.stream.sources.rtp.receiver import SENDER_TIMEOUT_NS, RtpReceiver, SenderTracker

SECOND: Final = 44_100
PACKET_NS: Final = FRAMES * 1_000_000_000 // SECOND
DEPTH_NS: Final = 60_000_000


def parsed(sequence: int, timestamp: int, *, ssrc: int = 1, payload_type: int = 10) -> RtpPacket:
    packet = parse_packet(make_packet(sequence, timestamp, ssrc=ssrc, payload_type=payload_type))
    assert isinstance(packet, RtpPacket)
    return packet


@pytest.fixture
def tracker() -> SenderTracker:
    """One whose newest packet is number 65 535, just before both counters wrap."""
    tracker = SenderTracker(parsed(65_535, -FRAMES), RtpFormat())
    assert tracker.track(parsed(65_535, -FRAMES), 0)
    return tracker


def test_counters_are_extended_where_they_wrap(tracker: SenderTracker) -> None:
    packet = tracker.track(parsed(65_536, 0), 9)
    assert packet is not None
    assert (packet.sequence, packet.start, packet.end, packet.arrived_ns) == (65_536, 2**32, 2**32 + FRAMES, 9)


@pytest.mark.parametrize(
    ("sequence", "timestamp"),
    [
        pytest.param(65_537, FRAMES, id="one is missing"),
        pytest.param(65_536, -1_764, id="imprecise timestamp"),
        pytest.param(65_536, 5 * SECOND, id="missing time"),
        pytest.param(65_534, -2 * FRAMES, id="reordered"),
        pytest.param(65_535, -FRAMES, id="duplicate"),
        pytest.param(65_536 + 30_000, 4 * SECOND, id="many missing"),
    ],
)
def test_a_packet_that_is_near_follows(tracker: SenderTracker, sequence: int, timestamp: int) -> None:
    assert tracker.track(parsed(sequence, timestamp), 0)


@pytest.mark.parametrize(
    ("sequence", "timestamp"),
    [
        pytest.param(65_536, -1_765, id="its time was before"),
        pytest.param(65_536, 5 * SECOND + 1, id="too far ahead"),
        pytest.param(65_536, 2**31, id="half a turn ahead"),
        pytest.param(65_535, 0, id="another packet of the same number"),
        pytest.param(65_534, 1_764, id="earlier number and later time"),
        pytest.param(65_500, -FRAMES - SECOND - 1, id="too long ago"),
    ],
)
def test_a_packet_that_is_elsewhere_does_not(tracker: SenderTracker, sequence: int, timestamp: int) -> None:
    assert tracker.track(parsed(sequence, timestamp), 0) is None
    assert tracker.track(parsed(65_536, 0), 0), "and nothing has moved"


def test_a_packet_of_another_sender_or_payload_type_does_not_follow(tracker: SenderTracker) -> None:
    assert tracker.track(parsed(65_536, 0, ssrc=2), 0) is None
    assert tracker.track(parsed(65_536, 0, payload_type=11), 0) is None


class Player:
    """Pushes packets as they would arrive, and keeps what is played of each session."""

    def __init__(self, formats: RtpFormats = STATIC_FORMATS) -> None:
        self.receiver: Final = RtpReceiver(formats, DEPTH_NS)
        self.now_ns = 0
        self.sessions: list[list[Audio]] = [[]]
        self.pushed = 0

    def push(self, packets: Iterable[bytes], *, every_ns: int = PACKET_NS, source: str = "") -> None:
        for packet in packets:
            self.now_ns += every_ns
            self.receiver.push(packet, self.now_ns, source)
            self.pushed += 1
            self._play()

    def audio(self, session: int = -1) -> Audio:
        """`[frames, channels]` of one session; what is left in the buffer included."""
        self._keep(self.receiver.flush())
        return np.concatenate(self.sessions[session]) if self.sessions[session] else np.zeros((0, 2), np.float32)

    def _play(self) -> None:
        self._keep(self.receiver.pull(self.now_ns))
        if self.receiver.sender_changed:
            self._keep(self.receiver.flush())
            self.receiver.switch_sender()
            self.sessions.append([])
            self._play()

    def _keep(self, spans: Iterable[FrameSpan]) -> None:
        for _, frames, payload, form, _ in spans:
            silence = np.zeros((frames, form.channels), np.float32)
            self.sessions[-1].append(decode(payload, form.encoding, form.channels) if payload else silence)


def test_without_losses_every_sample_is_played_exactly() -> None:
    audio, player = make_audio(200 * FRAMES + 100), Player()
    player.push(packetize(audio))
    np.testing.assert_array_equal(player.audio(), audio)
    assert player.receiver.counters.received == 201


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_an_impaired_network_costs_the_lost_packets_and_nothing_else(seed: int) -> None:
    audio, player = make_audio(300 * FRAMES), Player()
    packets = packetize(audio)
    # The first two and the last arrive, so that the beginning and the end are known.
    middle = list(impaired(packets[2:-1], Impairment(loss=0.1, duplication=0.1, delay=0.3), seed))
    player.push([*packets[:2], *middle, packets[-1]])
    arrived, counters = {*packets[:2], *middle, packets[-1]}, player.receiver.counters
    expected = audio.reshape(300, FRAMES, 2) * np.array([packet in arrived for packet in packets])[:, None, None]
    np.testing.assert_array_equal(player.audio(), expected.reshape(-1, 2))
    assert counters.lost == 300 - len(arrived)
    assert counters.received == len(arrived)
    assert counters.received + counters.duplicate == player.pushed


def test_a_single_packet_of_a_sender_is_not_played() -> None:
    player = Player()
    player.push([make_packet(1, 0), make_packet(5, 0, ssrc=2), make_packet(9, 0, ssrc=3)])
    assert len(player.audio()) == 0


def test_a_sender_that_takes_over_loses_no_packet() -> None:
    first, second, player = make_audio(20 * FRAMES, 1), make_audio(40 * FRAMES, 2), Player()
    player.push([*packetize(first), *packetize(second, ssrc=2, sequence=9, timestamp=77)])
    np.testing.assert_array_equal(player.audio(0), first)
    np.testing.assert_array_equal(player.audio(1), second)
    assert len(player.sessions) == 2


def test_losses_and_reordering_where_the_sender_changes_are_handled() -> None:
    first, second, player = make_audio(20 * FRAMES, 1), make_audio(60 * FRAMES, 2), Player()
    old, new = packetize(first), packetize(second, ssrc=2)
    player.push([*old[:-1], new[1], old[-1], new[0], new[2], *new[4:]])
    second[3 * FRAMES : 4 * FRAMES] = 0
    np.testing.assert_array_equal(player.audio(0), first)
    np.testing.assert_array_equal(player.audio(1), second)


def test_of_two_senders_at_once_only_the_first_is_played() -> None:
    audio, player = make_audio(200 * FRAMES), Player()
    both = zip(packetize(audio), packetize(make_audio(200 * FRAMES, 2), ssrc=2), strict=True)
    player.push(packet for pair in both for packet in pair)
    np.testing.assert_array_equal(player.audio(), audio)
    assert len(player.sessions) == 1


def test_stray_packets_do_not_end_a_session() -> None:
    audio, player = make_audio(100 * FRAMES), Player()
    packets = packetize(audio)
    strays = [make_packet(7 * at * at, at << 20, ssrc=at % 9) for at in range(60)]
    player.push([*packets[:50], *strays, *packets[50:]])
    np.testing.assert_array_equal(player.audio(), audio)
    assert player.receiver.counters.rejected["foreign"] > 50


@pytest.mark.parametrize("jump", [SECOND * 6, -SECOND * 3, -50 * FRAMES, 2**31])
def test_a_sender_whose_clock_jumps_begins_a_session(jump: int) -> None:
    audio, player = make_audio(80 * FRAMES), Player()
    before = packetize(audio[: 20 * FRAMES], timestamp=10**6)
    player.push([*before, *packetize(audio[20 * FRAMES :], sequence=65_520, timestamp=10**6 + jump)])
    np.testing.assert_array_equal(player.audio(0), audio[: 20 * FRAMES])
    np.testing.assert_array_equal(player.audio(1), audio[20 * FRAMES :])


def test_a_clock_set_back_a_little_catches_up() -> None:
    audio, player = make_audio(80 * FRAMES), Player()
    before = packetize(audio[: 20 * FRAMES], timestamp=10**6)
    player.push([*before, *packetize(audio[20 * FRAMES :], sequence=65_520, timestamp=10**6 + 10 * FRAMES)])
    np.testing.assert_array_equal(player.audio(), np.delete(audio, slice(20 * FRAMES, 25 * FRAMES), axis=0))


def test_one_wrong_timestamp_is_one_lost_packet() -> None:
    audio, player = make_audio(100 * FRAMES), Player()
    packets = packetize(audio, sequence=0, timestamp=0)
    packets[50] = make_packet(50, 2**30)
    player.push(packets)
    audio[50 * FRAMES : 51 * FRAMES] = 0
    np.testing.assert_array_equal(player.audio(), audio)


@pytest.mark.parametrize(("packets", "sessions"), [(800, 1), (900, 2)])
def test_a_pause_is_filled_up_to_five_seconds_and_then_a_new_session(packets: int, sessions: int) -> None:
    audio, player = make_audio((packets + 20) * FRAMES), Player()
    sent = packetize(audio)
    player.push(sent[:10])
    player.now_ns += packets * PACKET_NS
    player.push(sent[-10:])
    assert len(player.sessions) == sessions
    np.testing.assert_array_equal(player.audio()[-10 * FRAMES :], audio[-10 * FRAMES :])
    assert len(player.audio()) == (packets + 20 if sessions == 1 else 10) * FRAMES


def test_a_change_of_payload_type_is_a_new_session() -> None:
    player = Player()
    mono = [make_packet(20 + at, (20 + at) * FRAMES, bytes(2 * FRAMES), payload_type=11) for at in range(80)]
    player.push([*packetize(make_audio(20 * FRAMES), sequence=0, timestamp=0), *mono])
    assert [player.audio(session).shape for session in (0, 1)] == [(20 * FRAMES, 2), (80 * FRAMES, 1)]


def test_what_cannot_be_decoded_is_rejected_with_its_reason() -> None:
    player = Player()
    player.push(
        [b"", b"\0" * 99, make_packet(1, 1, b"abc"), make_packet(1, 1, b""), make_packet(1, 1, payload_type=96)]
    )
    rejected = {why: count for why, count in player.receiver.counters.rejected.items() if count}
    assert rejected == {"short": 1, "version": 1, "payload_length": 2, "payload_type": 1}


PACKETS = st.builds(
    make_packet,
    st.integers(0, 40) | st.integers(0, 2**16),
    st.integers(0, 20).map(lambda packets: packets * FRAMES) | st.integers(0, 2**32),
    st.binary(max_size=64),
    ssrc=st.integers(0, 2),
    payload_type=st.integers(0, 127),
)


@settings(max_examples=100)
@given(
    st.sampled_from(
        [
            STATIC_FORMATS,
            formats_for_all_types(RtpFormat(48_000, 1, 16)),
            formats_for_all_types(RtpFormat(8_000, 3, 24)),
        ]
    ),
    st.lists(st.tuples(st.binary(max_size=80) | PACKETS, st.integers(0, SENDER_TIMEOUT_NS)), max_size=80),
)
def test_every_datagram_is_counted_whatever_it_holds(formats: RtpFormats, arrivals: list[tuple[bytes, int]]) -> None:
    player = Player(formats)
    for data, pause_ns in arrivals:
        player.push([data], every_ns=pause_ns)
    player.audio()
    counters = player.receiver.counters
    counted = counters.received + counters.duplicate + counters.late + counters.rtcp + sum(counters.rejected.values())
    held = sum(len(candidate._held) for candidate in player.receiver._probation._candidates)
    assert counted + held == player.pushed


def test_stray_packets_do_not_keep_a_restarted_sender_out() -> None:
    """Of a new SSRC each, from one address, three between two packets of the sender."""
    before, after, player = make_audio(20 * FRAMES, 1), make_audio(80 * FRAMES, 2), Player()
    player.push(packetize(before))
    for at, packet in enumerate(packetize(after, ssrc=2)):
        player.push([packet])
        for stray in range(3):
            player.push([make_packet(3, 3, bytes(4), ssrc=1000 + 3 * at + stray)], every_ns=0, source="stranger")
    np.testing.assert_array_equal(player.audio(0), before)
    np.testing.assert_array_equal(player.audio(1), after)


def test_many_addresses_do_not_keep_a_restarted_sender_out() -> None:
    before, after, player = make_audio(20 * FRAMES, 1), make_audio(80 * FRAMES, 2), Player()
    player.push(packetize(before))
    for at, packet in enumerate(packetize(after, ssrc=2)):
        player.push([packet])
        for stray in range(6):
            player.push([make_packet(3, 3, bytes(4), ssrc=9)], every_ns=0, source=f"stranger {6 * at + stray}")
    np.testing.assert_array_equal(player.audio(1), after)


def test_one_of_five_senders_at_once_is_played() -> None:
    audio, player = [make_audio(200 * FRAMES, seed) for seed in range(1, 6)], Player()
    packets = [packetize(each, ssrc=9) for each in audio]
    for at in range(200):
        for number in range(5):
            player.push([packets[number][at]], every_ns=PACKET_NS // 5, source=f"sender {number}")
    np.testing.assert_array_equal(player.audio(), audio[0])
    assert len(player.sessions) == 1


def test_of_five_senders_another_takes_over_when_the_first_ends() -> None:
    audio, player = [make_audio(200 * FRAMES, seed) for seed in range(1, 6)], Player()
    packets = [packetize(each, ssrc=number) for number, each in enumerate(audio)]
    for at in range(200):
        for number in range(5):
            if number or at < 50:
                player.push([packets[number][at]], every_ns=PACKET_NS // 5)
    assert len(player.sessions) == 2
    assert len(player.audio(1)) > 100 * FRAMES


def test_a_sender_that_keeps_its_pace_replaces_one_that_does_not() -> None:
    """A stranger's packets of one frame, in order, were there first."""
    audio, player = make_audio(400 * FRAMES), Player()
    strays = (make_packet(at, at, bytes(4), ssrc=7) for at in range(10_000))
    player.push([next(strays) for _ in range(10)], source="stranger")
    for packet in packetize(audio):
        player.push([packet])
        player.push([next(strays), next(strays), next(strays)], every_ns=0, source="stranger")
    assert len(player.sessions) == 2
    assert len(player.audio()) > 200 * FRAMES
    np.testing.assert_array_equal(player.audio()[-100 * FRAMES :], audio[-100 * FRAMES :])


def test_rtcp_on_the_same_port_is_not_rejected() -> None:
    audio, player = make_audio(20 * FRAMES), Player()
    report = bytes([0x80, 200, 0, 6]) + bytes(24)
    player.push([packet for each in packetize(audio) for packet in (each, report)])
    np.testing.assert_array_equal(player.audio(), audio)
    assert player.receiver.counters.rtcp == 20
    assert not any(player.receiver.counters.rejected.values())


def test_a_flood_takes_bounded_memory() -> None:
    receiver, payload = RtpReceiver(STATIC_FORMATS, DEPTH_NS), bytes(60_000)
    tracemalloc.start()
    for at in range(4_000):
        # Each is ahead of what is missing; and as many again are of others that may be senders.
        receiver.push(make_packet(2 * at + 2 * (at > 1), at * 15_000, payload), at)
        receiver.push(make_packet(at, at * 15_000, payload, ssrc=at % 3), at)
        for _ in receiver.pull(at):
            pass
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 64 << 20
