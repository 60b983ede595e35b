"""What the training commands say of material and of settings that they cannot use."""

from pathlib import Path

import numpy as np
import pytest
import torch

import whoplays
from tests.training.tiny_corpus import write_index, write_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of one sound piano; its other files are missing, damaged or silent."""
    write_sound(tmp_path / "piano.wav", 0.1 * np.ones(1000))
    write_sound(tmp_path / "silent.wav", np.zeros(1000))
    (tmp_path / "damaged.wav").write_bytes(b"RIFF, and then nothing")
    names = ("piano", "silent", "damaged", "missing")
    return write_index(tmp_path, [(f"{name}.wav", "pia", name, "made", "CC0") for name in names])


def failure(folder: Path, capfd: pytest.CaptureFixture[str], **changes: str) -> list[str]:
    """The lines on standard error of a training that fails."""
    chosen = {"out": str(folder / "run"), "cache": str(folder / "cache")} | changes
    options = {f"--{option}": value for option, value in chosen.items()}
    given = [part for option in options.items() for part in option]
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["train", "solo-rawcnn", "--data", f"{folder}@all", *given])
    assert leaving.value.code
    return capfd.readouterr().err.splitlines()


def test_files_that_cannot_be_read_are_named_and_counted(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = failure(folder, capfd)
    assert lines[0] == f"skipped {folder / 'silent.wav'}: it holds no sound"
    assert lines[1].startswith(f"skipped {folder / 'damaged.wav'}: ")
    assert lines[2].startswith(f"skipped {folder / 'missing.wav'}: ")
    assert lines[3] == "skipped 3 of 4 files"
    assert lines[-1] == "whoplays: an epoch of 1 windows does not fill a batch of 16"


@pytest.mark.parametrize(
    ("option", "message"), [("cache", "cannot be a cache folder"), ("out", "cannot be a run folder")]
)
def test_a_file_is_no_folder(folder: Path, capfd: pytest.CaptureFixture[str], option: str, message: str) -> None:
    line = failure(folder, capfd, **{option: str(folder / "index.csv")})[-1]
    assert line.startswith("whoplays: ")
    assert message in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_not_replaced_in_silence(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [f"piano{k}" for k in range(16)]
    for name in names:
        write_sound(folder / f"{name}.wav", 0.1 * np.ones(1000))
    write_index(folder, [(f"{name}.wav", "pia", name, "made", "CC0") for name in names])
    line = failure(folder, capfd, accelerator="gpu")[-1]
    assert line.startswith("whoplays: cannot compute on gpu here: ")
