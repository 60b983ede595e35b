import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile

from tests.stream.conftest import make_concert
from tests.stream.sources.ffmpeg.conftest import CLIP_SAMPLES
from tests.stream.sources.ffmpeg.servers import free_port, serve_rtsp
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.sources.base import RecordingError
from whoplays.stream.sources.registry import open_uri
from whoplays.stream.sources.worker import ChildSource


def read(uri: str) -> list[Block]:
    return list(open_uri(uri).blocks())


def join(blocks: list[Block]) -> Audio:
    return np.concatenate([block.audio for block in blocks], axis=1)


def read_seconds(source: ChildSource, seconds: float) -> list[Block]:
    """As much, then stop it."""
    blocks = source.blocks()
    received: list[Block] = []
    while sum(block.audio.shape[1] for block in received) < seconds * 44_100:
        block = next(blocks)
        assert block.captured_at_ns <= time.monotonic_ns()
        received.append(block)
    source.stop()
    list(blocks)
    return received


def read_until_lost(source: ChildSource) -> list[Block]:
    """All of it; then the server has to close the connection."""
    received: list[Block] = []
    with pytest.raises(SourceError, match=r"broke off: the server closed the connection$"):
        deque(map(received.append, source.blocks()))
    return received


def open_child(uri: str, selection: ChannelSelection = WHOLE) -> ChildSource:
    source = open_uri(uri, selection=selection)
    assert isinstance(source, ChildSource)
    return source


def assert_is_the_clip(audio: Audio, atol: float) -> None:
    assert audio.shape[1] == pytest.approx(CLIP_SAMPLES, abs=3000)
    middle = np.abs(np.fft.rfft(audio[:, 11_025:55_125] * np.hanning(44_100)))
    assert middle[0].argmax() == 440
    assert middle[1].max() <= middle[0].max() * atol


def test_an_http_recording_is_played_in_real_time_and_ends(http: str) -> None:
    start = time.monotonic()
    blocks = read(f"{http}/clip.flac")
    assert time.monotonic() - start >= 1.4
    np.testing.assert_allclose(join(blocks), make_concert(44_100)[:CLIP_SAMPLES].T, atol=1e-4)
    times = [block.captured_at_ns for block in blocks]
    assert times[-1] - times[0] == pytest.approx(1.5e9 - 50e6, abs=1e6)
    assert not any(block.lost for block in blocks)


def made(ffmpeg: str, clips: Path, name: str, *options: str) -> bytes:
    """The clip in another container."""
    subprocess.run([ffmpeg, "-v", "error", "-y", "-i", "clip.flac", *options, name], cwd=clips, check=True)
    return (clips / name).read_bytes()


CONTAINERS: Final = {
    "wav": (),
    "ogg": ("-c:a", "libvorbis", "-page_duration", "100000"),
    "opus": ("-c:a", "libopus", "-page_duration", "100000"),
    "mp3": ("-b:a", "128k"),
    "mka": ("-c:a", "aac"),
    "m4a": ("-movflags", "faststart"),
    "caf": (),
    "flac": (),
    "wma": (),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_recording_that_is_cut_off_is_told_as_that_of_a_path_is(
    http: str, clips: Path, ffmpeg: str, kind: str
) -> None:
    whole = made(ffmpeg, clips, f"whole.{kind}", *CONTAINERS[kind])
    (clips / f"cut.{kind}").write_bytes(whole[: len(whole) * 6 // 10])
    assert sum(block.audio.shape[1] for block in read(f"{http}/whole.{kind}")) == pytest.approx(66_150, abs=6000)
    heard: list[Block] = []
    with pytest.raises(RecordingError, match=r"cut off|damaged|index is missing"):
        deque(map(heard.append, open_uri(f"{http}/cut.{kind}").blocks()))
    assert 0 < sum(block.audio.shape[1] for block in heard) < 50_000


@pytest.mark.parametrize("manner", ["", "ranges/"])
@pytest.mark.parametrize("kind", ["wav", "mp3", "flac", "ogg"])
def test_recordings_that_were_joined_are_heard_whole(
    http: str, clips: Path, ffmpeg: str, kind: str, manner: str
) -> None:
    one = made(ffmpeg, clips, f"one.{kind}", *CONTAINERS[kind])
    (clips / f"joined.{kind}").write_bytes(one + one)
    blocks = read(f"{http}/{manner}joined.{kind}")
    assert sum(block.audio.shape[1] for block in blocks) == pytest.approx(132_300, abs=6000)


def test_a_recording_whose_index_is_at_its_end_is_read_by_ranges(http: str, clips: Path, ffmpeg: str) -> None:
    # Not kept any more when its index was read: its beginning is asked for anew.
    length = len(made(ffmpeg, clips, "late.m4a", "-af", "aloop=3:66150", "-c:a", "alac"))
    assert length > 100_000
    blocks = read(f"{http}/ranges/late.m4a")
    assert sum(block.audio.shape[1] for block in blocks) == pytest.approx(4 * 66_150, abs=6000)


@pytest.mark.parametrize("segment", ["ts", "m4s"])
def test_a_playlist_whose_segments_are_missing_is_told(http: str, clips: Path, ffmpeg: str, segment: str) -> None:
    options = ["-c:a", "aac", "-f", "hls", "-hls_time", "0.5", "-hls_playlist_type", "vod"]
    options += ["-hls_segment_type", "fmp4"] if segment == "m4s" else []
    text = made(ffmpeg, clips, f"{segment}.m3u8", *options).decode()
    assert read(f"{http}/{segment}.m3u8")
    (clips / f"last_{segment}.m3u8").write_text(re.sub(r"\w[23]\.(ts|m4s)", r"gone.\1", text))
    with pytest.raises(RecordingError, match=r"ends after 1\.\d s of 1\.5 s; segments are missing or damaged"):
        read(f"{http}/last_{segment}.m3u8")


def test_what_a_recording_says_of_a_broadcast_is_not_received(http: str, clips: Path) -> None:
    """A session description would have this machine listen wherever a server says."""
    lines = ("v=0", "o=- 0 0 IN IP4 1.2.3.4", "s=x", "c=IN IP4 239.1.2.3", "t=0 0", "m=audio 7777 RTP/AVP 10", "")
    (clips / "evil.sdp").write_text("\n".join(lines))
    with pytest.raises(SourceError, match="it is not audio that FFmpeg can read"):
        read(f"{http}/evil.sdp")


def test_the_selection_is_applied(http: str) -> None:
    source = open_child(f"{http}/clip.flac", ChannelSelection(channels=(2, 1), gain_db=-6.0205999))
    audio = join(read_seconds(source, 0.2))
    expected = make_concert(44_100)[: audio.shape[1], ::-1].T / 2
    np.testing.assert_allclose(audio, expected, atol=1e-4)


def test_a_burst_at_the_beginning_is_handed_out_in_real_time(http: str) -> None:
    """A second and a half comes at once."""
    start = time.monotonic_ns()
    blocks = read_seconds(open_child(f"{http}/endless/clip.mp3"), 1.7)
    assert time.monotonic_ns() - start >= 1_600_000_000
    assert not any(block.lost for block in blocks)
    times = [block.captured_at_ns for block in blocks]
    received_s = join(blocks[1:]).shape[1] / 44_100
    assert (times[-1] - times[0]) / 1e9 == pytest.approx(received_s, abs=1e-3)


def test_a_stream_that_stalls_for_ever_can_be_stopped(http: str) -> None:
    source = open_child(f"{http}/stall/clip.mp3")
    stopped_s = []

    def stop() -> None:
        stopped_s.append(time.monotonic())
        source.stop()

    blocks = source.blocks()
    received = [next(blocks) for _ in range(5)]
    # Well after the end of what is sent.
    stopper = threading.Timer(1.8, stop)
    stopper.start()
    received += blocks
    assert time.monotonic() - stopped_s[0] < 5
    assert join(received).shape[1] == pytest.approx(CLIP_SAMPLES, abs=5000)
    stopper.join()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.mp3", r"/missing\.mp3 cannot be opened: Server returned 404 Not Found$"),
        ("text.bin", r"/text\.bin cannot be opened: it is not audio that FFmpeg can read$"),
        ("drop/clip.wav", r"/…/clip\.wav broke off: the server closed the connection$"),
        ("hang_up/clip.mp3", r"/…/clip\.mp3 broke off: the server closed the connection$"),
    ],
)
def test_errors_of_the_server_are_described_without_secrets(http: str, path: str, message: str) -> None:
    source = open_uri(f"{http}/{path}?token=hidden")
    with pytest.raises(SourceError, match=message) as raised:
        list(source.blocks())
    for text in (str(raised.value), source.name, source.uri):
        assert not any(secret in text for secret in ("me:", "se%40cret", "se@cret", "hidden"))
    assert "\n" not in str(raised.value)


@pytest.fixture
def bodies(clips: Path) -> Path:
    """What servers send that is no audio."""
    (clips / "empty.mp3").touch()
    (clips / "page.mp3").write_text("<!DOCTYPE html>\n<html><body>The radio has moved.</body></html>\n" * 100)
    (clips / "list.m3u").write_text("#EXTM3U\n#EXTINF:-1,The radio\nclip.flac\n")
    (clips / "plain.m3u").write_text("# a comment\nhttp://127.0.0.1:1/nowhere\n")
    (clips / "loop.m3u").write_text("#EXTM3U\nloop.m3u\n")
    (clips / "list.pls").write_text("[playlist]\nNumberOfEntries=1\nFile1=list.m3u\nTitle1=The radio\n")
    (clips / "thief.m3u").write_text(f"#EXTM3U\nfile://{clips / 'clip.flac'}\n")
    return clips


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty.mp3", r"empty\.mp3 cannot be opened: it sends nothing: its body is empty$"),
        ("page.mp3", r"page\.mp3 cannot be opened: it sends a web page \(HTML\), not audio"),
        ("loop.m3u", r"loop\.m3u is a playlist of playlists"),
        ("thief.m3u", r"thief\.m3u cannot be opened: it is not audio that FFmpeg can read"),
    ],
)
def test_what_came_instead_of_audio_is_said(http: str, bodies: Path, name: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(f"{http}/{name}")


@pytest.mark.parametrize("name", ["list.m3u", "list.pls"])
def test_a_playlist_of_a_radio_leads_to_its_first_address(http: str, bodies: Path, name: str) -> None:
    assert_is_the_clip(join(read(f"{http}/{name}")), 0.01)


@pytest.fixture
def chain(clips: Path) -> Path:
    """Titles of an Ogg broadcast, of 0.5 s each, that differ in codec, rate and channels."""
    clip = make_concert(44_100)[:22_050]
    soundfile.write(clips / "1.ogg", clip, 44_100, format="OGG", subtype="VORBIS")
    soundfile.write(clips / "2.ogg", make_concert(48_000)[:24_000, 0], 48_000, format="OGG", subtype="VORBIS")
    soundfile.write(clips / "3.ogg", make_concert(48_000)[:24_000], 48_000, format="OGG", subtype="OPUS")
    (clips / "chain.ogg").write_bytes(b"".join((clips / f"{number}.ogg").read_bytes() for number in (1, 2, 3, 1)))
    return clips / "chain.ogg"


def test_titles_of_an_ogg_broadcast_may_differ_in_codec_rate_and_channels(http: str, chain: Path) -> None:
    heard = join(read(f"{http}/{chain.name}"))
    assert heard.shape[1] == pytest.approx(4 * 22_050, abs=1500)
    received = read_until_lost(open_child(f"{http}/hang_up/{chain.name}"))
    assert join(received).shape[1] == pytest.approx(4 * 22_050, abs=1500)
    assert not any(block.lost for block in received)


def test_of_rtsp_audio_alone_is_fetched() -> None:
    set_up: list[str] = []
    with serve_rtsp(set_up) as port:
        read_until_lost(open_child(f"rtsp://127.0.0.1:{port}/hall"))
    assert set_up == ["a"]


def test_what_cannot_be_reached_is_described() -> None:
    with pytest.raises(SourceError, match=r"hall\.invalid/live cannot be opened: host hall\.invalid not found"):
        read("http://me:secret@hall.invalid/live")
    with pytest.raises(SourceError, match=r"cannot be opened: Connection refused"):
        read(f"rtsp://me:secret@127.0.0.1:{free_port()}/live")


def test_a_killed_child_is_an_error(http: str) -> None:
    source = open_child(f"{http}/endless/clip.mp3")
    blocks = source.blocks()
    next(blocks)
    assert source.pid
    os.kill(source.pid, signal.SIGKILL)
    with pytest.raises(SourceError, match=r"was lost: its process was ended by SIGKILL$"):
        list(blocks)


def test_a_playlist_is_played_to_its_end(http: str, playlist: str) -> None:
    assert_is_the_clip(join(read(f"{http}/{playlist}")), 0.01)


@pytest.mark.parametrize("scheme", ["hls:http://", "hls://http://", "hls://"])
def test_an_address_may_say_that_it_is_a_playlist(http: str, playlist: str, scheme: str) -> None:
    place = http.removeprefix("http://")
    source = open_child(f"{scheme}{place}/{playlist}")
    assert source.uri == f"hls:http://{place.rpartition('@')[2]}/{playlist}"
    assert join(read_seconds(source, 0.3)).any()


def test_what_an_rtsp_stream_loses_is_replaced_by_zeros() -> None:
    with serve_rtsp() as port:
        blocks = read_until_lost(open_child(f"rtsp://me:secret@127.0.0.1:{port}/hall"))
    lost = [block for block in blocks if block.lost]
    assert {block.lost for block in lost} == {"network"}
    assert join(lost).shape[1] == 40 * 441
    np.testing.assert_allclose(join([block for block in blocks if not block.lost]), 0.5)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("media:/nowhere/a.mp4", "/nowhere/a.mp4 not found"),
        ("media:/", "/ is a folder"),
        ("media:caf\udce9.mp4", r"media: .* UTF-8, got caf\?\.mp4; rename the file"),
        ("media:http://me:secret@host/a.mp4", "media: must be followed by a file's path"),
        ("http:///live", "host not found"),
        ("http://me:se/cret@host/live", "host not found"),
        ("hls:", "host not found"),
    ],
)
def test_what_is_no_address_is_refused_without_secrets(uri: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as raised:
        open_uri(uri)
    assert not any(secret in str(raised.value) for secret in ("secret", "se/cret", "cret@"))


def test_a_playlist_cannot_make_us_read_files(clips: Path, http: str) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{clips / 'clip.mp3'}\n#EXT-X-ENDLIST\n"
    (clips / "thief.m3u8").write_text(text)
    with pytest.raises(SourceError, match=r"cannot be opened"):
        read(f"{http}/thief.m3u8")


@pytest.fixture
def https(clips: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server, and the certificate that signs its own."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed")
    options = "-newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    command = f"{openssl} req -x509 {options} -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=clips)  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Quiet) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/clip.flac", tmp_path / "cert.pem"
        server.shutdown()
        thread.join()


def test_a_certificate_has_to_be_trusted(https: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    uri, certificate = https
    with pytest.raises(SourceError, match=r"its certificate is not trusted \(self.signed certificate\)"):
        read(uri)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert join(read_seconds(open_child(uri), 0.2)).any()
