import errno
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stream.conftest import make_concert
from whoplays.models.errors import SourceError
from whoplays.stream.sources.file import FileSource
from whoplays.stream.sources.registry import open_uri


def hear(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.concatenate([block.audio for block in FileSource(path, "max").blocks()], axis=1)


@pytest.mark.parametrize(
    ("name", "rate_hz", "tolerance"),
    [("a.wav", 44_100, 1e-4), ("a.flac", 48_000, 1e-3), ("a.aiff", 22_050, 1e-2), ("a.ogg", 44_100, 5e-2)],
)
def test_any_format_and_rate_is_heard_in_place(tmp_path: Path, name: str, rate_hz: int, tolerance: float) -> None:
    soundfile.write(tmp_path / name, make_concert(rate_hz), rate_hz)
    heard = hear(tmp_path / name)
    assert heard.dtype == np.float32
    assert heard.shape == (2, 12 * 44_100)
    middle = slice(44_100, 2 * 44_100)
    np.testing.assert_allclose(heard[:, middle], make_concert(44_100).T[:, middle], atol=tolerance)


def test_a_source_says_what_it_is(concert: Path) -> None:
    source = FileSource(concert)
    assert (source.name, source.clock, source.live) == ("concert.wav", "file", True)
    assert source.uri.startswith("file:///")
    assert FileSource(concert, "max").live is False


def test_a_name_in_another_encoding_is_heard_and_shown_as_well_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(os.fsencode(path), make_concert(44_100), 44_100)
    assert hear(path).shape == (2, 12 * 44_100)
    assert FileSource(path).name == "caf\ufffd.wav"
    assert open_uri(FileSource(path).uri).name == "caf\ufffd.wav"
    for bytes_ in (b"this is no audio", b""):
        path.write_bytes(bytes_)
        with pytest.raises(SourceError, match=r"caf\ufffd.wav is"):
            FileSource(path)
    path.unlink()
    with pytest.raises(SourceError, match=r"file .*caf\ufffd.wav not found"):
        FileSource(path)


@pytest.fixture
def m4a(concert: Path, tmp_path: Path) -> Path:
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("ffmpeg is not installed")
    subprocess.run([ffmpeg, "-v", "error", "-i", concert, "-c:a", "aac", tmp_path / "a concert.m4a"], check=True)
    return tmp_path / "a concert.m4a"


def test_a_path_and_media_are_the_same_recording(m4a: Path) -> None:
    """`media:` in a child process, at the speed that is asked for."""
    source = open_uri(f"media:{m4a}", speed="max")
    assert (source.name, source.uri, source.clock) == ("a concert.m4a", f"media:{m4a}", "file")
    assert not source.live
    start_s = time.monotonic()
    heard = np.concatenate([block.audio for block in source.blocks()], axis=1)
    assert time.monotonic() - start_s < 10
    np.testing.assert_array_equal(heard, hear(m4a))
    assert open_uri(f"media:{m4a}").live


def test_what_is_there_is_heard_before_a_cut_is_said(concert: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.wav").write_bytes(concert.read_bytes()[:1_000_000])
    heard: list[int] = []
    with pytest.raises(SourceError, match=r"cut.wav ends after 5\.7 s of 12\.0 s; it is cut off or damaged"):
        heard.extend(block.audio.shape[1] for block in FileSource(tmp_path / "cut.wav", "max").blocks())
    assert sum(heard) == (1_000_000 - 44) // 4


def test_more_than_the_header_states_is_heard_and_noted(concert: Path, tmp_path: Path) -> None:
    data = bytearray(concert.read_bytes())
    data[40:44] = (4 * 44_100).to_bytes(4, "little")
    (tmp_path / "more.wav").write_bytes(data)
    source = FileSource(tmp_path / "more.wav", "max")
    blocks = list(source.blocks())
    assert sum(block.audio.shape[1] for block in blocks) == 12 * 44_100
    assert source.warning == "its header states 1.0 s; 12.0 s are there, and were heard"


def test_the_rate_may_change_on_the_way(concert: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "b.wav", make_concert(48_000)[:, 0], 48_000)
    (tmp_path / "both.wav").write_bytes(concert.read_bytes() + (tmp_path / "b.wav").read_bytes())
    assert hear(tmp_path / "both.wav").shape == (2, 24 * 44_100)


@pytest.mark.parametrize("name", ["tape.raw", "TAPE.RAW", "tape.pcm"])
def test_raw_pcm_by_its_name_is_refused_with_the_command_that_plays_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(100_000))
    with pytest.raises(SourceError, match=r"is raw PCM by its name, .*: whoplays listen - --format s16le --rate"):
        open_uri(str(tmp_path / name))


def test_what_may_not_be_read_is_said_as_it_is(concert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"concert\.wav cannot be read: Permission denied"):
        FileSource(concert)


def test_stopping_ends_the_blocks(concert: Path) -> None:
    source = FileSource(concert)
    blocks = source.blocks()
    next(blocks)
    source.stop()
    assert list(blocks) == []


def write_bad_files(folder: Path) -> None:
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("this is no audio")
    (folder / "folder").mkdir()
    soundfile.write(folder / "nothing.wav", np.zeros((0, 2)), 44_100)
    soundfile.write(folder / "short.wav", np.zeros((44_100, 2)), 44_100)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.wav", "not found"),
        ("folder", "is a folder"),
        ("empty.wav", "is empty"),
        ("text.wav", r"is not readable as audio \(FFmpeg cannot read it\)"),
        ("nothing.wav", "holds no samples"),
        ("short.wav", r"lasts 1\.00 s; a window needs 3 s"),
    ],
)
def test_what_cannot_be_heard_is_refused(tmp_path: Path, name: str, message: str) -> None:
    write_bad_files(tmp_path)
    with pytest.raises(SourceError, match=message):
        FileSource(tmp_path / name)


def test_damage_on_the_way_is_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.flac", np.random.default_rng(0).normal(0, 0.1, (44_100 * 8, 2)), 44_100)
    data = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"damaged after|cut off"):
        hear(tmp_path / "cut.flac")
