import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.stream.sources.rtp.listening import Listening
from tests.stream.sources.rtp.packets import FRAMES, make_audio, make_packet, packetize
from tests.stream.sources.rtp.relay import Weather, send, through
from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.registry import open_uri
from whoplays.stream.sources.rtp.source import open_rtp

PACKET_S = FRAMES / 44_100


def test_an_address_is_opened_by_its_scheme() -> None:
    source = open_uri("rtp://127.0.0.1:0?jitter_ms=10")
    assert source.name.startswith("RTP on 127.0.0.1:")
    assert (source.uri, source.clock, source.disconnect_cause) == (
        "rtp://127.0.0.1:0?jitter_ms=10",
        "arrival",
        "network",
    )
    assert source.live
    source.stop()


def test_what_is_sent_is_heard_sample_by_sample_and_when_it_came() -> None:
    audio = make_audio(100 * FRAMES)
    with Listening() as listening:
        before_ns = time.monotonic_ns()
        send(packetize(audio), listening.source.port, every_s=0.001)
        listening.wait_for_samples(len(audio))
        after_ns = time.monotonic_ns()
    np.testing.assert_array_equal(listening.audio(), audio.T)
    captured_at_ns = [block.captured_at_ns for block in listening.sessions[0]]
    assert before_ns < captured_at_ns[0] < captured_at_ns[-1] < after_ns
    assert captured_at_ns == sorted(captured_at_ns)
    assert not any(block.lost for block in listening.sessions[0])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_network_in_bad_weather_costs_what_it_lost_and_nothing_else(seed: int) -> None:
    audio = make_audio(400 * FRAMES)
    packets = packetize(audio)
    weather = Weather(loss=0.05, duplication=0.05, delay=0.2, most_delay=4)
    stormy = [*packets[:2], *through(packets[2:-1], weather, seed), packets[-1]]
    # The wait is longer than any delay of this machine, so that nothing is too late.
    with Listening("rtp://127.0.0.1:0?jitter_ms=1000") as listening:
        send(stormy, listening.source.port, every_s=0.001)
        listening.wait_for_samples(len(audio))
    arrived = np.repeat([packet in set(stormy) for packet in packets], FRAMES)
    np.testing.assert_array_equal(listening.audio(), (audio * arrived[:, None]).T)
    lost = np.concatenate([np.full(block.audio.shape[1], block.lost is not None) for block in listening.sessions[0]])
    np.testing.assert_array_equal(lost, ~arrived)
    assert {block.lost for block in listening.sessions[0]} == {None, "network"}
    counts = listening.source.counts
    assert counts.received + counts.duplicate == len(stormy)
    assert counts.lost == 400 - counts.received
    assert counts.late == 0


def test_what_comes_after_the_wait_is_late_and_its_place_is_filled() -> None:
    packets = packetize(make_audio(10 * FRAMES))
    with Listening("rtp://127.0.0.1:0?jitter_ms=0") as listening:
        send([*packets[:4], *packets[5:]], listening.source.port)
        listening.wait_for_samples(10 * FRAMES)
        send([packets[4], packets[4]], listening.source.port)
        listening.wait_for(lambda: listening.source.counts.duplicate == 1)
    assert listening.samples() == 10 * FRAMES
    assert (listening.source.counts.lost, listening.source.counts.late) == (1, 1)
    assert not listening.audio()[:, 4 * FRAMES : 5 * FRAMES].any()


def test_a_sender_that_restarts_is_a_new_session_and_loses_nothing() -> None:
    first, second = make_audio(30 * FRAMES, 1), make_audio(60 * FRAMES, 2)
    with Listening() as listening:
        send(packetize(first), listening.source.port, every_s=0.001)
        send(packetize(second, ssrc=9, sequence=1, timestamp=1), listening.source.port, every_s=0.001)
        listening.wait_for_samples(len(second), session=1)
    np.testing.assert_array_equal(listening.audio(0), first.T)
    np.testing.assert_array_equal(listening.audio(1), second.T)


def test_a_pause_yields_nothing_and_is_filled_when_the_sender_goes_on() -> None:
    audio = make_audio(400 * FRAMES)
    packets = packetize(audio)
    with Listening() as listening:
        send(packets[:10], listening.source.port)
        listening.wait_for_samples(10 * FRAMES)
        time.sleep(0.3)
        assert listening.samples() == 10 * FRAMES
        send(packets[-10:], listening.source.port)
        listening.wait_for_samples(len(audio))
    filled = [block for block in listening.sessions[0] if block.lost]
    assert sum(block.audio.shape[1] for block in filled) == 380 * FRAMES
    assert max(block.audio.shape[1] for block in filled) <= 22_050
    assert not any(block.audio.any() for block in filled)


def test_another_rate_with_losses_keeps_its_length(tmp_path: Path) -> None:
    path = tmp_path / "box.sdp"
    path.write_text("v=0\nm=audio 5004 RTP/AVP 97\na=rtpmap:97 L24/48000/4", encoding="utf-8")
    with Listening(f"rtp://127.0.0.1:0?sdp={path}", ChannelSelection(channels=(3, 4), gain_db=-6.0)) as listening:
        frame = b"\0\0\0" * 2 + b"\x40\0\0" * 2
        packets = [make_packet(at, at * 48, 48 * frame, payload_type=97) for at in range(1000)]
        send([*packets[:500], *packets[600:]], listening.source.port, every_s=0.0005)
        listening.wait_for_samples(43_000)
    lost = sum(block.audio.shape[1] for block in listening.sessions[0] if block.lost)
    assert lost == 4_410
    np.testing.assert_allclose(listening.audio()[:, 10_000:15_000], 0.5 * 10 ** (-6 / 20), rtol=1e-3)


def test_garbage_is_refused_by_reason_and_the_music_goes_on() -> None:
    audio = make_audio(60 * FRAMES)
    chance = np.random.default_rng(1)
    garbage = [chance.bytes(int(size)) for size in chance.integers(0, 2000, 300)]
    packets = packetize(audio)
    with Listening() as listening:
        send(packets[:30], listening.source.port)
        send([*garbage, make_packet(1, 2, payload_type=33), make_packet(1, 2, b"odd")], listening.source.port)
        send(packets[30:], listening.source.port)
        listening.wait_for_samples(len(audio))
    np.testing.assert_array_equal(listening.audio(), audio.T)
    refused = listening.source.counts.refused
    assert refused["version"] > 150
    assert refused["payload_type"] >= 1
    assert refused["payload_length"] >= 1


def test_what_is_refused_or_late_is_told_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.clock.LATELY_NS", 500_000_000)
    packets = packetize(make_audio(10 * FRAMES))
    with Listening("rtp://127.0.0.1:0?jitter_ms=0") as listening:
        assert listening.source.warning == ""
        send([*packets[:4], b"no packet", *packets[5:]], listening.source.port)
        listening.wait_for(lambda: listening.source.warning == "packets are refused: short")
        listening.wait_for(lambda: listening.source.warning == "")
        send([packets[4]], listening.source.port)
        listening.wait_for(lambda: "packets come too late; give a larger jitter_ms" in listening.source.warning)
        listening.wait_for(lambda: listening.source.warning == "")
        assert listening.source.counts.refused["short"] == 1


def test_stopping_ends_the_wait_and_gives_the_port_back() -> None:
    source = open_rtp("rtp://127.0.0.1:0", ChannelSelection())
    ended = threading.Thread(target=lambda: list(source.blocks()))
    ended.start()
    source.stop()
    source.stop()
    ended.join(10)
    assert not ended.is_alive()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
        another.bind(("127.0.0.1", source.port))
    assert list(source.blocks()) == []


def test_a_source_that_is_left_in_the_middle_can_be_stopped() -> None:
    source = open_rtp("rtp://127.0.0.1:0", ChannelSelection())
    send(packetize(make_audio(2 * FRAMES)), source.port)
    blocks = source.blocks()
    assert next(blocks).audio.shape[1] in (FRAMES, 2 * FRAMES)
    source.stop()
    assert len(list(blocks)) <= 1, "what was ready"


def test_channels_that_do_not_come_are_refused_at_once_or_when_it_is_known() -> None:
    with pytest.raises(SourceError, match="no channel 3; there are 2"):
        open_rtp("rtp://127.0.0.1:0", ChannelSelection(channels=(3,)))
    source = open_rtp("rtp://127.0.0.1:0", ChannelSelection(channels=(2,)))
    send([make_packet(at, at, b"\0\0", payload_type=11) for at in range(2)], source.port)
    with pytest.raises(SourceError, match="no channel 2; there are 1"):
        list(source.blocks())
    source.stop()
