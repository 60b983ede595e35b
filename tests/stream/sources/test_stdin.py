import contextlib
import os
import pty
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from whoplays.models.errors import SourceError
from whoplays.models.recordings.mpeg import SURVEY_BYTES, is_mpeg_audio
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import PcmFormat, encode
from whoplays.stream.sources.stdin import PcmSource


def hear(data: bytes, pcm: PcmFormat, piece: int = 1000) -> Audio:
    """What a source makes of bytes that come through a pipe in pieces."""
    reading, writing = os.pipe()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):
            for at in range(0, len(data), piece):
                os.write(writing, data[at : at + piece])
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return np.concatenate([block.audio for block in PcmSource(pcm, reading).blocks()], axis=1)
    finally:
        os.close(reading)
        writer.join()


@pytest.mark.parametrize("piece", [1, 3, 7, 4096])
def test_pieces_that_split_frames_are_put_together(piece: int) -> None:
    ramp: Audio = (np.arange(200, dtype=np.float32).reshape(-1, 2) - 100) / np.float32(128)
    np.testing.assert_array_equal(hear(encode(ramp, "s24le"), PcmFormat(encoding="s24le"), piece), ramp.T)


def test_other_rates_and_channel_counts_are_converted() -> None:
    data = encode(np.zeros((24_000, 1), np.float32), "s16le")
    assert hear(data, PcmFormat(rate_hz=24_000, channels=1), 4096).shape == (2, 44_100)


def test_an_end_within_a_frame_is_said() -> None:
    with pytest.raises(
        SourceError, match="ended 3 bytes into a frame of 4; it is cut off, or of another format or number of channels"
    ):
        hear(bytes(4 * 10 + 3), PcmFormat())


def test_a_terminal_is_refused() -> None:
    leader, follower = pty.openpty()
    with pytest.raises(SourceError, match="standard input is a terminal"):
        PcmSource(PcmFormat(), follower)
    os.close(leader)
    os.close(follower)


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"):
        PcmSource(PcmFormat())


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SourceError, match="standard input cannot be read: Is a directory"):
        list(PcmSource(PcmFormat(), folder).blocks())
    os.close(folder)


def test_stopping_ends_a_wait_for_input() -> None:
    reading, writing = os.pipe()
    source = PcmSource(PcmFormat(), reading)
    source.stop()
    assert list(source.blocks()) == []
    os.close(writing)
    os.close(reading)


def make_with_ffmpeg(concert: Path, options: str) -> bytes:
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("ffmpeg is not installed")
    command = [ffmpeg, "-v", "error", "-i", str(concert), *options.split(), "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    "options",
    [
        "-f wav -ar 16000 -ac 1",
        "-f wav -rf64 always",
        "-f w64",
        "-f aiff",
        "-f au",
        "-f flac",
        "-f ogg",
        "-f mp3",
        "-f mp3 -id3v2_version 0 -write_xing 0",
        "-f mp3 -id3v2_version 0 -b:a 320k",
        "-f mp3 -id3v2_version 0 -ar 22050 -ac 1 -b:a 32k",
        "-f mp2",
        "-f adts -c:a aac",
        "-f adts -c:a aac -ar 16000 -ac 1",
        "-f matroska -c:a aac",
        "-f mp4 -c:a aac -movflags frag_keyframe+empty_moov",
    ],
)
def test_a_recording_is_played_as_it_says_it_is(concert: Path, options: str) -> None:
    assert hear(make_with_ffmpeg(concert, options), PcmFormat(), 50_000).shape[1] == pytest.approx(
        12 * 44_100, abs=4410
    )


@pytest.mark.parametrize("options", ["-f mp3 -id3v2_version 0 -write_xing 0", "-f adts -c:a aac"])
def test_a_broadcast_is_played_from_wherever_it_was_joined(concert: Path, options: str) -> None:
    """As `curl` pipes it from a server."""
    data = make_with_ffmpeg(concert, options)
    for cut in (1, 200, len(data) // 2):
        left_s = 12 * (1 - cut / len(data))
        # Of a varying bit rate, half of the bytes is not half of the time.
        assert hear(data[cut:], PcmFormat(), 50_000).shape[1] == pytest.approx(left_s * 44_100, rel=0.3)


@pytest.mark.parametrize("options", ["-f s16le", "-f s24le", "-f s32le", "-f f32le", "-f s16le -ac 1 -ar 8000"])
def test_raw_audio_is_no_broadcast(concert: Path, options: str) -> None:
    data = make_with_ffmpeg(concert, options)
    pieces = [data[at : at + SURVEY_BYTES] for at in range(0, len(data), SURVEY_BYTES)]
    rng = np.random.default_rng(1)
    quiet = rng.integers(-2, 2, 100 * SURVEY_BYTES // 2, dtype="<i2").tobytes()
    pieces += [quiet[at : at + SURVEY_BYTES] for at in range(0, len(quiet), SURVEY_BYTES)]
    assert not any(map(is_mpeg_audio, pieces))


@pytest.mark.parametrize("stated", [0, 0x7FFF_F000, 4 * 44_100, 12 * 4 * 44_100])
def test_a_recording_that_is_piped_is_heard_to_its_end(concert: Path, stated: int) -> None:
    """As sox pipes it, as a recorder that was killed left it, over 4 GiB, and as it should be, with text behind it."""
    data = bytearray(concert.read_bytes())
    data[40:44] = stated.to_bytes(4, "little")
    text = b"LIST" + (4).to_bytes(4, "little") + b"text"
    heard = hear(bytes(data) + (text if stated == 12 * 4 * 44_100 else b""), PcmFormat(), 50_000)
    assert heard.shape == (2, 12 * 44_100)


def test_recordings_that_are_piped_one_after_another_are_all_heard(concert: Path) -> None:
    flac = make_with_ffmpeg(concert, "-f flac -ar 48000")
    heard = hear(concert.read_bytes() + flac + concert.read_bytes(), PcmFormat(), 50_000)
    assert heard.shape[1] == pytest.approx(36 * 44_100, abs=10)


def test_a_recording_that_is_cut_off_in_the_pipe_is_said(concert: Path) -> None:
    with pytest.raises(SourceError, match=r"standard input ends after 5\.7 s of 12\.0 s; it is cut off or damaged"):
        hear(concert.read_bytes()[:1_000_000], PcmFormat(), 50_000)


def test_what_cannot_be_played_from_a_pipe_is_refused_with_the_command_that_converts(
    concert: Path, tmp_path: Path
) -> None:
    make_with_ffmpeg(concert, f"-c:a aac -y {tmp_path / 'a.m4a'} -f null")
    with pytest.raises(SourceError, match=r"standard input .* give its path, or convert it: ffmpeg -i FILE -f s16le"):
        hear((tmp_path / "a.m4a").read_bytes(), PcmFormat(), 50_000)


def test_a_listener_that_stops_ends_a_piped_recording(concert: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, concert.read_bytes()[:60_000])
    source = PcmSource(PcmFormat(), reading)
    stopper = threading.Timer(0.3, source.stop)
    stopper.start()
    list(source.blocks())
    stopper.join()
    os.close(writing)
    os.close(reading)
