"""Recordings as people have them: joined, cut off, of unknown length, with a length that is a lie."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from whoplays.models.errors import SourceError
from whoplays.models.recordings.headers import find_extent
from whoplays.models.recordings.recording import Recording, open_recording
from whoplays.models.recordings.view import PipeBytes

RATE_HZ = 44_100
SECONDS = 6


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes `NAME` of 6 s of tone and noise, with more options for ffmpeg."""
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("ffmpeg is not installed")
    folder = tmp_path_factory.mktemp("recordings")
    times = np.arange(SECONDS * RATE_HZ)
    noise = np.random.default_rng(0).normal(0, 0.05, len(times))
    soundfile.write(folder / "C.wav", np.stack([0.4 * np.sin(times * 0.06), noise], axis=1), RATE_HZ)

    def make(name: str, options: str = "", *, piped: bool = False) -> Path:
        path = folder / f"{'piped ' if piped else ''}{name}"
        command = [ffmpeg, "-v", "error", "-y", "-i", str(folder / "C.wav"), *options.split()]
        if piped:
            path.write_bytes(subprocess.run([*command, "-"], check=True, capture_output=True).stdout)
        else:
            subprocess.run([*command, str(path)], check=True)
        return path

    return make


def hear(path: Path) -> tuple[float, str, str]:
    """Seconds that are heard, the note, and the error, if there is one."""
    heard_s, error = 0.0, ""
    with open_recording(path, path.name) as recording:
        try:
            for frames, rate_hz in recording.read():
                heard_s += len(frames) / rate_hz
        except SourceError as raised:
            error = str(raised)
    return heard_s, recording.note, error


def assert_whole(path: Path, seconds: float = SECONDS) -> str:
    heard_s, note, error = hear(path)
    assert error == ""
    assert heard_s == pytest.approx(seconds, abs=0.1)
    return note


def join(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


CODECS = {
    "a.wav": "",
    "a24.wav": "-c:a pcm_s24le",
    "af.wav": "-c:a pcm_f32le",
    "a.rf64": "-f wav -rf64 always",
    "a.w64": "",
    "a.aiff": "",
    "a.caf": "-c:a pcm_s16be",
    "a.au": "",
    "a.flac": "",
    "a.ogg": "-c:a libvorbis",
    "a.oga": "-c:a flac",
    "a.opus": "-c:a libopus",
    "xing.mp3": "-q:a 4",
    "vbr.mp3": "-q:a 4 -write_xing 0",
    "cbr.mp3": "-b:a 128k -write_xing 0",
    "a.aac": "-c:a aac",
    "a.m4a": "-c:a aac",
    "alac.m4a": "-c:a alac",
    "a.mkv": "-c:a aac",
    "a.wma": "-c:a wmav2",
    "a.wv": "-c:a wavpack",
}


@pytest.mark.parametrize(("name", "options"), CODECS.items())
def test_all_of_any_format_is_heard(make: Callable[..., Path], name: str, options: str) -> None:
    assert assert_whole(make(name, options)) == ""


@pytest.mark.parametrize("name", CODECS)
def test_all_recordings_that_were_joined_are_heard(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    part = make(name, CODECS[name])
    assert_whole(join(tmp_path / name, part, part), 2 * SECONDS)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.ogg -c:a libvorbis", "b.ogg -c:a libvorbis -ar 48000"),
        ("a.ogg -c:a libvorbis", "mono.ogg -c:a libvorbis -ac 1"),
        ("a.ogg -c:a libvorbis", "a.opus -c:a libopus"),
        ("a.ogg -c:a libvorbis -q:a 2", "fine.ogg -c:a libvorbis -q:a 9"),
        ("a.flac", "b.flac -ar 48000"),
        ("xing.mp3 -q:a 4", "b.mp3 -q:a 4 -ar 48000 -ac 1"),
        ("a.wav", "b.wav -ar 22050 -ac 1"),
    ],
)
def test_what_was_joined_may_differ(make: Callable[..., Path], tmp_path: Path, first: str, second: str) -> None:
    parts = [make(*text.split(" ", 1)) for text in (first, second)]
    assert_whole(join(tmp_path / parts[0].name, *parts), 2 * SECONDS)


@pytest.mark.parametrize("form", ["wav", "w64", "aiff", "au", "flac", "ogg", "matroska", "mp3", "adts"])
def test_what_was_piped_does_not_know_its_length(make: Callable[..., Path], form: str) -> None:
    assert assert_whole(make(f"a.{form}", f"-f {form}", piped=True)) == ""


CUT = ("a.wav", "a.rf64", "a.w64", "a.aiff", "a.caf", "a.au", "a.flac", "xing.mp3", "a.mkv", "a.wma", "a.wv")


@pytest.mark.parametrize("name", CUT)
def test_what_is_cut_off_is_said(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    data = make(name, CODECS[name]).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    heard_s, _, error = hear(tmp_path / name)
    assert heard_s == pytest.approx(SECONDS / 2, abs=0.5)
    assert f"{name} ends after {heard_s:.1f} s of 6.0 s; it is cut off or damaged" in error


def test_an_ogg_that_is_cut_off_is_said(make: Callable[..., Path], tmp_path: Path) -> None:
    data = make("a.ogg", CODECS["a.ogg"]).read_bytes()
    (tmp_path / "a.ogg").write_bytes(data[: len(data) // 2 + 7])
    assert "within a page; it is cut off" in hear(tmp_path / "a.ogg")[2]


def test_an_mp4_without_its_index_is_said_to_be_cut_off(make: Callable[..., Path], tmp_path: Path) -> None:
    data = make("a.m4a", CODECS["a.m4a"]).read_bytes()
    (tmp_path / "a.m4a").write_bytes(data[: len(data) // 2])
    assert "its index is missing: it is cut off, or its recorder did not end it" in hear(tmp_path / "a.m4a")[2]


SIZE_FIELDS = {
    "a.wav": (b"data", 4, "little", 4),
    "a.aiff": (b"SSND", 4, "big", 4),
    "a.au": (b".snd", 8, "big", 4),
    "a.caf": (b"data", 4, "big", 8),
    "a.w64": (bytes.fromhex("64617461f3acd3118cd100c04f8edb8a"), 16, "little", 8),
    "a.rf64": (b"ds64", 16, "little", 8),
}


def state(path: Path, source: Path, size: int) -> Path:
    """A copy whose header states another size."""
    kind, offset, order, width = SIZE_FIELDS[source.name]
    data = bytearray(source.read_bytes())
    at = data.index(kind) + offset
    data[at : at + width] = size.to_bytes(width, "big" if order == "big" else "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", SIZE_FIELDS)
def test_the_size_of_a_recorder_that_was_killed_is_none(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    assert assert_whole(state(tmp_path / name, make(name, CODECS[name]), 0)) == ""


@pytest.mark.parametrize("size", [0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFDB])
def test_so_are_the_sizes_of_those_who_do_not_know_it(make: Callable[..., Path], tmp_path: Path, size: int) -> None:
    assert assert_whole(state(tmp_path / "a.wav", make("a.wav"), size)) == ""


@pytest.mark.parametrize("name", SIZE_FIELDS)
def test_more_than_is_stated_is_heard(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """As of a WAV over 4 GiB, the size of which is stated modulo 2^32, or of one that is still being written."""
    note = assert_whole(state(tmp_path / name, make(name, CODECS[name]), RATE_HZ * 4))
    assert note == "its header states 1.0 s; 6.0 s are there, and were heard"


def test_what_follows_the_samples_is_not_heard(tmp_path: Path) -> None:
    """Chunks of text and pictures, whatever the size of the samples is stated to be."""
    soundfile.write(tmp_path / "a.wav", np.full(RATE_HZ, 0.25), RATE_HZ)
    with (tmp_path / "a.wav").open("ab") as file:
        file.write(b"LIST" + (1000).to_bytes(4, "little") + b"x" * 1000)
        file.write(b"id3 " + (12).to_bytes(4, "little") + b"ID3\x03" + bytes(8))
    assert assert_whole(tmp_path / "a.wav", 1) == ""


def test_a_wav_over_4_gib_is_heard_up_to_what_follows_its_samples(tmp_path: Path) -> None:
    """Sparse: only its ends are read."""
    samples = (1 << 32) + RATE_HZ
    with (tmp_path / "a.wav").open("wb") as file:
        fmt = b"".join(number.to_bytes(width, "little") for number, width in FMT)
        file.write(b"RIFF" + bytes(4) + b"WAVEfmt " + fmt + b"data" + RATE_HZ.to_bytes(4, "little"))
        begin = file.tell()
        file.seek(begin + samples)
        file.write(b"LIST" + (4).to_bytes(4, "little") + b"text")
        size = file.tell()
    with (tmp_path / "a.wav").open("rb") as file:
        extent = find_extent(lambda at, count: os.pread(file.fileno(), count, at), size)
    assert extent.end == begin + samples
    assert extent.stated_s(10.0, 0) == 10.0 * RATE_HZ / samples


FMT = ((16, 4), (1, 2), (1, 2), (RATE_HZ, 4), (RATE_HZ, 4), (1, 2), (8, 2))


@pytest.mark.parametrize("name", ["a.flac", "xing.mp3", "a.m4a", "a.mkv", "a.ogg", "a.aac"])
def test_damage_on_the_way_is_said(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    data = bytearray(make(name, CODECS[name]).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8000] = bytes(8000)
    (tmp_path / name).write_bytes(data)
    heard_s, _, error = hear(tmp_path / name)
    assert f"{name} is damaged" in error or f"{name} ends after" in error
    if name in {"a.flac", "xing.mp3", "a.m4a", "a.mkv"}:
        # Silence stands in its place.
        assert heard_s == pytest.approx(SECONDS, abs=0.1)


def test_silence_stands_where_the_recorder_paused(make: Callable[..., Path]) -> None:
    options = "-c:a libopus -af aselect='lt(t,2)+gt(t,4)'"
    samples: list[NDArray[np.float32]] = []
    path = make("pause.mkv", options)
    with open_recording(path, path.name) as recording:
        samples = [frames for frames, _ in recording.read()]
    heard = np.concatenate(samples)
    assert len(heard) / 48_000 == pytest.approx(SECONDS, abs=0.1)
    assert not heard[int(2.2 * 48_000) : int(3.8 * 48_000)].any()


@pytest.mark.parametrize("data", [b"", b"this is no audio" * 1000, b"RIFF, and then nothing", bytes(10_000)])
def test_what_is_no_audio_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(data)
    assert hear(tmp_path / "a.wav")[2].startswith("a.wav is not readable as audio")


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (20, b"\xff\x01", "is of a codec that FFmpeg cannot decode"),
        (20, b"\x55\x00", "holds nothing that can be decoded"),
        (22, b"\xff\xff", "holds nothing that can be decoded"),
        (24, bytes(4), "is not readable as audio"),
        (34, bytes(2), "is of a codec that FFmpeg cannot decode"),
    ],
)
def test_a_header_that_is_nonsense_is_refused(tmp_path: Path, at: int, value: bytes, message: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (RATE_HZ, 2))
    soundfile.write(tmp_path / "a.wav", noise, RATE_HZ)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[at : at + len(value)] = value
    (tmp_path / "a.wav").write_bytes(data)
    assert message in hear(tmp_path / "a.wav")[2]


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match=r"a\.wav cannot be read: No such file"),
        open_recording(tmp_path / "a", "a.wav"),
    ):
        pass


def wav(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data


def pcm_format(rate_hz: int, channels: int) -> bytes:
    frame = 2 * channels
    fields = ((1, 2), (channels, 2), (rate_hz, 4), (rate_hz * frame, 4), (frame, 2), (16, 2))
    return chunk(b"fmt ", b"".join(value.to_bytes(size, "little") for value, size in fields))


def hear_piped(data: bytes) -> tuple[float, str]:
    """Seconds that are heard of what a pipe brings, and the error, if there is one."""
    pieces = [data[at : at + 5000] for at in range(0, len(data), 5000)]
    heard_s, error = 0.0, ""
    try:
        for frames, rate_hz in Recording(PipeBytes(lambda: pieces.pop(0) if pieces else b""), "pipe").read():
            heard_s += len(frames) / rate_hz
    except SourceError as raised:
        error = str(raised)
    return heard_s, error


@pytest.mark.parametrize("between", [b"", chunk(b"LIST", b"INFO"), pcm_format(RATE_HZ, 2)], ids=["", "list", "fmt"])
def test_every_chunk_of_samples_is_heard(tmp_path: Path, between: bytes) -> None:
    samples = chunk(b"data", np.full(3 * RATE_HZ * 2, 1000, "<i2").tobytes())
    data = wav(pcm_format(RATE_HZ, 2), samples, between, samples, chunk(b"LIST", b"INFO"))
    path = tmp_path / "two.wav"
    path.write_bytes(data)
    assert_whole(path)
    heard_s, error = hear_piped(data)
    assert (round(heard_s, 2), error) == (6.0, "")


def test_samples_of_another_format_behind_the_first_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    samples = chunk(b"data", np.full(3 * RATE_HZ * 2, 1000, "<i2").tobytes())
    data = wav(pcm_format(RATE_HZ, 2), samples, pcm_format(22_050, 1), samples)
    path = tmp_path / "two.wav"
    path.write_bytes(data)
    for heard_s, error in (hear(path)[::2], hear_piped(data)):
        assert round(heard_s, 2) == 3.0
        assert "goes on after 3.0 s in another format, which is not heard" in error


@pytest.mark.parametrize("name", ["whole.wav", "whole.aiff"])
def test_a_recording_that_is_written_on_while_it_is_heard(make: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """Its header was right when it was opened."""
    path = tmp_path / name
    shutil.copy(make(name), path)
    heard_s, error = 0.0, ""
    with open_recording(path, path.name) as recording, path.open("ab") as end:
        for frames, rate_hz in recording.read():
            if heard_s == 0.0:
                end.write(np.full(3 * RATE_HZ * 2, 1000, "<i2").tobytes())
                end.flush()
            heard_s += len(frames) / rate_hz
    assert (round(heard_s, 1), error) == (9.0, "")
    assert "its header states 6.0 s; 9.0 s are there" in recording.note


def test_a_piped_ogg_that_is_cut_off_is_said(make: Callable[..., Path]) -> None:
    data = make("piped-cut.ogg").read_bytes()
    assert hear_piped(data)[1] == ""
    assert "within a page; it is cut off" in hear_piped(data[: len(data) * 2 // 3])[1]


@pytest.mark.parametrize("codec", ["flac", "alac", "aac", "wavpack"])
def test_eight_channels_are_heard(make: Callable[..., Path], codec: str) -> None:
    assert_whole(make(f"eight-{codec}.mka", f"-ac 8 -c:a {codec}"))


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nself\n", "ffconcat version 1.0\nfile self\n"]
)
def test_a_playlist_is_no_recording(tmp_path: Path, text: str) -> None:
    """FFmpeg would follow one that names itself for ever."""
    path = tmp_path / "self"
    path.write_text(text)
    with (
        open_recording(path, "self") as recording,
        pytest.raises(SourceError, match="self is a playlist"),
    ):
        list(recording.read())
