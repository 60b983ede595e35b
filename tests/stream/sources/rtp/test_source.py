import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile

from tests.stream.sources.recorder import Recorder, wait_until
from tests.stream.sources.rtp.packets import FRAMES, Impairment, impaired, make_audio, make_packet, packetize, send
from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.registry import open_uri
from whoplays.stream.sources.rtp.source import RtpSource, open_rtp

WHOLE: Final = ChannelSelection()


def recording(query: str = "", selection: ChannelSelection = WHOLE) -> Recorder[RtpSource]:
    return Recorder(open_rtp(f"rtp://127.0.0.1:0{query}", selection))


def test_an_address_is_opened_by_its_scheme() -> None:
    source = open_uri("rtp://127.0.0.1:0?jitter_ms=10")
    assert source.name.startswith("RTP on 127.0.0.1:")
    assert source.uri == "rtp://127.0.0.1:0?jitter_ms=10"
    assert (source.clock, source.disconnect_cause, source.live) == ("arrival", "network", True)
    source.stop()


def test_every_sample_arrives_with_its_time() -> None:
    audio = make_audio(100 * FRAMES)
    with recording() as recorder:
        before_ns = time.monotonic_ns()
        send(packetize(audio), recorder.source.port, every_s=0.001)
        recorder.wait_for_samples(len(audio))
        after_ns = time.monotonic_ns()
    np.testing.assert_array_equal(recorder.audio(), audio.T)
    captured_at_ns = [block.captured_at_ns for block in recorder.sessions[0]]
    assert before_ns < captured_at_ns[0] < captured_at_ns[-1] < after_ns
    assert captured_at_ns == sorted(captured_at_ns)
    assert not recorder.lost_samples()


def test_an_impaired_network_costs_the_lost_packets_and_nothing_else() -> None:
    audio = make_audio(200 * FRAMES)
    packets = packetize(audio)
    impairment = Impairment(loss=0.05, duplication=0.05, delay=0.2, max_delay=4)
    sent = [*packets[:2], *impaired(packets[2:-1], impairment, seed=1), packets[-1]]
    # The buffer is deeper than any delay of this machine, so that nothing is late.
    with recording("?jitter_ms=500") as recorder:
        send(sent, recorder.source.port, every_s=0.0002)
        recorder.wait_for_samples(len(audio))
    arrived = np.repeat([packet in set(sent) for packet in packets], FRAMES)
    np.testing.assert_array_equal(recorder.audio(), (audio * arrived[:, None]).T)
    lost = np.concatenate([np.full(block.audio.shape[1], block.lost is not None) for block in recorder.sessions[0]])
    np.testing.assert_array_equal(lost, ~arrived)
    assert {block.lost for block in recorder.sessions[0]} == {None, "network"}
    counters = recorder.source.counters
    assert counters.received + counters.duplicate == len(sent)
    assert counters.lost == 200 - counters.received
    assert counters.late == 0


def test_a_packet_later_than_the_depth_is_counted_and_its_gap_stays() -> None:
    packets = packetize(make_audio(10 * FRAMES))
    with recording("?jitter_ms=0") as recorder:
        send([*packets[:4], *packets[5:]], recorder.source.port)
        recorder.wait_for_samples(10 * FRAMES)
        send([packets[4], packets[4]], recorder.source.port)
        wait_until(lambda: recorder.source.counters.duplicate == 1)
    assert recorder.samples() == 10 * FRAMES
    assert (recorder.source.counters.lost, recorder.source.counters.late) == (1, 1)
    assert not recorder.audio()[:, 4 * FRAMES : 5 * FRAMES].any()


def test_a_sender_that_restarts_begins_a_session_and_loses_nothing() -> None:
    first, second = make_audio(30 * FRAMES, 1), make_audio(60 * FRAMES, 2)
    with recording() as recorder:
        send(packetize(first), recorder.source.port, every_s=0.001)
        send(packetize(second, ssrc=9, sequence=1, timestamp=1), recorder.source.port, every_s=0.001)
        recorder.wait_for_samples(len(second), session=1)
    np.testing.assert_array_equal(recorder.audio(0), first.T)
    np.testing.assert_array_equal(recorder.audio(1), second.T)


def test_a_pause_yields_nothing_and_is_filled_when_the_sender_goes_on() -> None:
    audio = make_audio(400 * FRAMES)
    packets = packetize(audio)
    with recording() as recorder:
        send(packets[:10], recorder.source.port)
        recorder.wait_for_samples(10 * FRAMES)
        time.sleep(0.2)
        assert recorder.samples() == 10 * FRAMES
        send(packets[-10:], recorder.source.port)
        recorder.wait_for_samples(len(audio))
    gap = [block for block in recorder.sessions[0] if block.lost]
    assert recorder.lost_samples() == 380 * FRAMES
    assert max(block.audio.shape[1] for block in gap) <= 22_050
    assert not any(block.audio.any() for block in gap)


def test_losses_at_another_rate_keep_their_length(tmp_path: Path) -> None:
    path = tmp_path / "box.sdp"
    path.write_text("v=0\nm=audio 5004 RTP/AVP 97\na=rtpmap:97 L24/48000/4", encoding="utf-8")
    with recording(f"?sdp={path}", ChannelSelection(channels=(3, 4), gain_db=-6.0)) as recorder:
        frame = b"\0\0\0" * 2 + b"\x40\0\0" * 2
        packets = [make_packet(at, at * 480, 480 * frame, payload_type=97) for at in range(100)]
        send([*packets[:50], *packets[60:]], recorder.source.port, every_s=0.001)
        recorder.wait_for_samples(43_000)
    assert recorder.lost_samples() == 4_410
    np.testing.assert_allclose(recorder.audio()[:, 10_000:15_000], 0.5 * 10 ** (-6 / 20), rtol=1e-3)


def test_garbage_is_rejected_by_reason_and_costs_nothing() -> None:
    audio = make_audio(60 * FRAMES)
    chance = np.random.default_rng(1)
    garbage = [chance.bytes(int(size)) for size in chance.integers(0, 2000, 300)]
    packets = packetize(audio)
    with recording() as recorder:
        send(packets[:30], recorder.source.port)
        send([*garbage, make_packet(1, 2, payload_type=33), make_packet(1, 2, b"odd")], recorder.source.port)
        send(packets[30:], recorder.source.port)
        recorder.wait_for_samples(len(audio))
    np.testing.assert_array_equal(recorder.audio(), audio.T)
    rejected = recorder.source.counters.rejected
    assert rejected["version"] > 150
    assert rejected["payload_type"] >= 1
    assert rejected["payload_length"] >= 1


def test_rejected_and_late_packets_are_a_warning_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.clock.RECENT_NS", 200_000_000)
    packets = packetize(make_audio(10 * FRAMES))
    with recording("?jitter_ms=0") as recorder:
        source = recorder.source
        assert source.warning == ""
        send([*packets[:4], b"no packet", *packets[5:]], source.port)
        wait_until(lambda: source.warning == "packets are rejected: short")
        wait_until(lambda: source.warning == "")
        send([packets[4]], source.port)
        wait_until(lambda: "packets come too late; give a larger jitter_ms" in source.warning)
        wait_until(lambda: source.warning == "")
        assert source.counters.rejected["short"] == 1


def test_stopping_ends_the_wait_and_frees_the_port() -> None:
    source = open_rtp("rtp://127.0.0.1:0", WHOLE)
    reading = threading.Thread(target=lambda: list(source.blocks()))
    reading.start()
    source.stop()
    source.stop()
    reading.join(10)
    assert not reading.is_alive()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
        another.bind(("127.0.0.1", source.port))
    assert list(source.blocks()) == []


def test_a_source_can_be_stopped_between_two_blocks() -> None:
    source = open_rtp("rtp://127.0.0.1:0", WHOLE)
    send(packetize(make_audio(2 * FRAMES)), source.port)
    blocks = source.blocks()
    assert next(blocks).audio.shape[1] in (FRAMES, 2 * FRAMES)
    source.stop()
    assert len(list(blocks)) <= 1, "what was ready"


def test_missing_channels_are_refused_at_once_or_when_the_format_is_known() -> None:
    with pytest.raises(SourceError, match=r"channel 3.*2"):
        open_rtp("rtp://127.0.0.1:0", ChannelSelection(channels=(3,)))
    source = open_rtp("rtp://127.0.0.1:0", ChannelSelection(channels=(2,)))
    send([make_packet(at, at, b"\0\0", payload_type=11) for at in range(2)], source.port)
    with pytest.raises(SourceError, match=r"channel 2.*1"):
        list(source.blocks())
    source.stop()


needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def play(recorded: Path, codec: str, *options: str, port: int) -> None:
    """Send a recording with ffmpeg, in real time."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", str(recorded), "-acodec", codec, *options]
    subprocess.run([*command, "-f", "rtp", f"rtp://127.0.0.1:{port}"], check=True, timeout=60)


@needs_ffmpeg
def test_every_sample_of_ffmpeg_arrives_also_when_it_restarts(tmp_path: Path) -> None:
    files = [tmp_path / "first.wav", tmp_path / "second.wav"]
    audio = [make_audio(30_000, seed) for seed in (1, 2)]
    for file, frames in zip(files, audio, strict=True):
        soundfile.write(file, frames, 44_100, subtype="PCM_16")
    with recording() as recorder:
        for session, file in enumerate(files):
            play(file, "pcm_s16be", "-payload_type", "10", port=recorder.source.port)
            recorder.wait_for_samples(30_000, session)
    for session in (0, 1):
        np.testing.assert_array_equal(recorder.audio(session), audio[session].T)
    counters = recorder.source.counters
    assert (counters.lost, counters.late, counters.duplicate, sum(counters.rejected.values())) == (0, 0, 0, 0)


@needs_ffmpeg
def test_what_ffmpeg_describes_is_received_as_described(tmp_path: Path) -> None:
    file, description = tmp_path / "sine.wav", tmp_path / "sine.sdp"
    time_s = np.arange(24_000) / 48_000
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * 440 * time_s), 48_000, subtype="PCM_24")
    play(file, "pcm_s24be", "-t", "0.01", "-sdp_file", str(description), port=9)
    with recording(f"?sdp={description}") as recorder:
        play(file, "pcm_s24be", port=recorder.source.port)
        recorder.wait_for_samples(21_000)
    audio = recorder.audio()
    np.testing.assert_array_equal(audio[0], audio[1])
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(audio.shape[1]) / 44_100)
    # The resampler rings where the sine sets in.
    np.testing.assert_allclose(audio[0, 1000:20_000], expected[1000:20_000], atol=1e-4)


def test_all_that_has_come_is_read_at_once() -> None:
    """As AES67 with packets of 0.125 ms needs: 8,000 a second."""
    source = open_rtp("rtp://127.0.0.1:0?rate=48000", WHOLE)
    send((make_packet(at, 6 * at, bytes(24)) for at in range(400)), source.port)
    source._receive()
    assert sum(len(candidate._held) for candidate in source._receiver._probation._candidates) == 400
    source.stop()
