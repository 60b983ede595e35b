import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stream.conftest import make_concert
from whoplays.models.errors import SourceError
from whoplays.stream.sources.file import FileSource, Speed
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


@pytest.mark.parametrize("speed", ["realtime", "max"])
def test_a_flac_that_does_not_tell_its_length_is_heard_to_its_end(tmp_path: Path, speed: Speed) -> None:
    """As ffmpeg writes it into a pipe: the total samples of its STREAMINFO are 0."""
    frames = np.random.default_rng(0).uniform(-0.1, 0.1, (44_100 // 2 + 123, 2)).astype(np.float32)
    soundfile.write(tmp_path / "piped.flac", frames, 44_100, subtype="PCM_24")
    data = bytearray((tmp_path / "piped.flac").read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    (tmp_path / "piped.flac").write_bytes(data)
    source = FileSource(tmp_path / "piped.flac", speed)
    heard = np.concatenate([block.audio for block in source.blocks()], axis=1)
    np.testing.assert_allclose(heard, frames.T, atol=1e-6)


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
        ("text.wav", "is not readable as audio"),
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
