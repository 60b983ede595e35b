import tracemalloc
from collections.abc import Iterable
from typing import Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.sources.rtp.packets import FRAMES, make_audio, make_packet, packetize
from tests.stream.sources.rtp.relay import Weather, through
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import decode
from whoplays.stream.sources.rtp.packet import STATIC, Format, Formats, for_every_type
from whoplays.stream.sources.rtp.receiver import QUIET_NS, Receiver

PACKET_NS: Final = FRAMES * 1_000_000_000 // 44_100
WAIT_NS: Final = 60_000_000


class Listener:
    """Pushes packets as they would arrive, and keeps what is heard of each session."""

    def __init__(self, formats: Formats = STATIC) -> None:
        self.receiver: Final = Receiver(formats, WAIT_NS)
        self.now_ns = 0
        self.sessions: list[list[Audio]] = [[]]
        self.pushed = 0

    def listen(self, packets: Iterable[bytes], *, every_ns: int = PACKET_NS) -> None:
        for packet in packets:
            self.now_ns += every_ns
            self.receiver.push(packet, self.now_ns)
            self.pushed += 1
            self._hear()

    def audio(self, session: int = -1) -> Audio:
        """`[frames, channels]` of one session; what is left in the buffer included."""
        self.sessions[-1] += [self._frames(piece.payload, piece.form, piece.frames) for piece in self.receiver.flush()]
        return np.concatenate(self.sessions[session]) if self.sessions[session] else np.zeros((0, 2), np.float32)

    def _hear(self) -> None:
        pieces = [*self.receiver.pull(self.now_ns), *(self.receiver.flush() if self.receiver.over else [])]
        self.sessions[-1] += [self._frames(piece.payload, piece.form, piece.frames) for piece in pieces]
        if self.receiver.over:
            self.receiver.proceed()
            self.sessions.append([])
            self._hear()

    @staticmethod
    def _frames(payload: bytes | None, form: Format, frames: int) -> Audio:
        return (
            decode(payload, form.encoding, form.channels) if payload else np.zeros((frames, form.channels), np.float32)
        )


def test_a_perfect_network_gives_every_sample_exactly() -> None:
    audio, listener = make_audio(200 * FRAMES + 100), Listener()
    listener.listen(packetize(audio))
    np.testing.assert_array_equal(listener.audio(), audio)
    assert listener.receiver.counts.received == 201


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_bad_weather_costs_the_lost_packets_and_nothing_else(seed: int) -> None:
    audio, listener = make_audio(300 * FRAMES), Listener()
    packets = packetize(audio)
    # The first two and the last arrive, so that the beginning and the end are known.
    stormy = list(through(packets[2:-1], Weather(loss=0.1, duplication=0.1, delay=0.3), seed))
    listener.listen([*packets[:2], *stormy, packets[-1]])
    heard, arrived, counts = listener.audio(), {*packets[:2], *stormy, packets[-1]}, listener.receiver.counts
    expected = audio.reshape(300, FRAMES, 2) * np.array([packet in arrived for packet in packets])[:, None, None]
    np.testing.assert_array_equal(heard, expected.reshape(-1, 2))
    assert counts.lost == 300 - len(arrived)
    assert counts.received == len(arrived)
    assert counts.received + counts.duplicate == listener.pushed


def test_nothing_is_heard_of_a_lone_packet() -> None:
    listener = Listener()
    listener.listen([make_packet(1, 0), make_packet(5, 0, ssrc=2), make_packet(9, 0, ssrc=3)])
    assert len(listener.audio()) == 0


def test_a_sender_that_takes_over_loses_no_packet() -> None:
    first, second, listener = make_audio(20 * FRAMES, 1), make_audio(40 * FRAMES, 2), Listener()
    listener.listen([*packetize(first), *packetize(second, ssrc=2, sequence=9, timestamp=77)])
    np.testing.assert_array_equal(listener.audio(0), first)
    np.testing.assert_array_equal(listener.audio(1), second)
    assert len(listener.sessions) == 2


def test_losses_and_disorder_at_the_change_are_made_up_for() -> None:
    first, second, listener = make_audio(20 * FRAMES, 1), make_audio(60 * FRAMES, 2), Listener()
    old, new = packetize(first), packetize(second, ssrc=2)
    listener.listen([*old[:-1], new[1], old[-1], new[0], new[2], *new[4:]])
    second[3 * FRAMES : 4 * FRAMES] = 0
    np.testing.assert_array_equal(listener.audio(0), first)
    np.testing.assert_array_equal(listener.audio(1), second)


def test_two_senders_at_once_do_not_take_turns() -> None:
    audio, listener = make_audio(200 * FRAMES), Listener()
    both = zip(packetize(audio), packetize(make_audio(200 * FRAMES, 2), ssrc=2), strict=True)
    listener.listen(packet for pair in both for packet in pair)
    np.testing.assert_array_equal(listener.audio(), audio)
    assert len(listener.sessions) == 1


def test_strays_do_not_end_a_session() -> None:
    audio, listener = make_audio(100 * FRAMES), Listener()
    packets = packetize(audio)
    strays = [make_packet(7 * at * at, at << 20, ssrc=at % 9) for at in range(60)]
    listener.listen([*packets[:50], *strays, *packets[50:]])
    np.testing.assert_array_equal(listener.audio(), audio)
    assert listener.receiver.counts.refused["foreign"] > 50


def test_a_sender_whose_clock_jumps_begins_anew() -> None:
    for jump in (44_100 * 6, -44_100 * 3, -50 * FRAMES, 2**31):
        audio, listener = make_audio(80 * FRAMES), Listener()
        before = packetize(audio[: 20 * FRAMES], timestamp=10**6)
        listener.listen([*before, *packetize(audio[20 * FRAMES :], sequence=65_520, timestamp=10**6 + jump)])
        np.testing.assert_array_equal(listener.audio(0), audio[: 20 * FRAMES])
        np.testing.assert_array_equal(listener.audio(1), audio[20 * FRAMES :])


def test_a_clock_set_back_a_little_catches_up() -> None:
    audio, listener = make_audio(80 * FRAMES), Listener()
    before = packetize(audio[: 20 * FRAMES], timestamp=10**6)
    listener.listen([*before, *packetize(audio[20 * FRAMES :], sequence=65_520, timestamp=10**6 + 10 * FRAMES)])
    np.testing.assert_array_equal(listener.audio(), np.delete(audio, slice(20 * FRAMES, 25 * FRAMES), axis=0))


def test_one_wild_timestamp_is_one_lost_packet() -> None:
    audio, listener = make_audio(100 * FRAMES), Listener()
    packets = packetize(audio, sequence=0, timestamp=0)
    packets[50] = make_packet(50, 2**30)
    listener.listen(packets)
    audio[50 * FRAMES : 51 * FRAMES] = 0
    np.testing.assert_array_equal(listener.audio(), audio)


def test_a_pause_is_filled_up_to_some_seconds_and_then_a_new_session() -> None:
    for packets, sessions in ((800, 1), (900, 2)):
        audio, listener = make_audio((packets + 20) * FRAMES), Listener()
        sent = packetize(audio)
        listener.listen(sent[:10])
        listener.now_ns += packets * PACKET_NS
        listener.listen(sent[-10:])
        assert len(listener.sessions) == sessions
        np.testing.assert_array_equal(listener.audio()[-10 * FRAMES :], audio[-10 * FRAMES :])
        assert len(listener.audio()) == (packets + 20 if sessions == 1 else 10) * FRAMES


def test_a_change_of_payload_type_is_a_new_session() -> None:
    listener = Listener()
    mono = [make_packet(20 + at, (20 + at) * FRAMES, bytes(2 * FRAMES), payload_type=11) for at in range(80)]
    listener.listen([*packetize(make_audio(20 * FRAMES), sequence=0, timestamp=0), *mono])
    assert [listener.audio(session).shape for session in (0, 1)] == [(20 * FRAMES, 2), (80 * FRAMES, 1)]


def test_what_cannot_be_heard_is_refused_with_its_reason() -> None:
    listener = Listener()
    listener.listen(
        [b"", b"\0" * 99, make_packet(1, 1, b"abc"), make_packet(1, 1, b""), make_packet(1, 1, payload_type=96)]
    )
    refused = {why: count for why, count in listener.receiver.counts.refused.items() if count}
    assert refused == {"short": 1, "version": 1, "payload_length": 2, "payload_type": 1}


HEADERS = st.builds(
    make_packet,
    st.integers(0, 40) | st.integers(0, 2**16),
    st.integers(0, 20).map(lambda packets: packets * FRAMES) | st.integers(0, 2**32),
    st.binary(max_size=64),
    ssrc=st.integers(0, 2),
    payload_type=st.integers(0, 127),
)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([STATIC, for_every_type(Format(48_000, 1, 16)), for_every_type(Format(8_000, 3, 24))]),
    st.lists(st.tuples(st.binary(max_size=80) | HEADERS, st.integers(0, QUIET_NS)), max_size=80),
)
def test_no_bytes_do_any_harm_and_each_packet_is_accounted_for(
    formats: Formats, arrivals: list[tuple[bytes, int]]
) -> None:
    listener = Listener(formats)
    for data, pause_ns in arrivals:
        listener.listen([data], every_ns=pause_ns)
    listener.audio()
    counts = listener.receiver.counts
    told = counts.received + counts.duplicate + counts.late + sum(counts.refused.values())
    held = sum(len(candidate._held) for candidate in listener.receiver._probation._candidates)
    assert told + held == listener.pushed


def test_a_flood_takes_bounded_memory() -> None:
    receiver, payload = Receiver(STATIC, WAIT_NS), bytes(60_000)
    tracemalloc.start()
    for at in range(4_000):
        # Each is ahead of what is missing; and as many again are of others that may be senders.
        receiver.push(make_packet(2 * at + 2 * (at > 1), at * 15_000, payload), at)
        receiver.push(make_packet(at, at * 15_000, payload, ssrc=at % 3), at)
        for _ in receiver.pull(at):
            pass
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 64 << 20
