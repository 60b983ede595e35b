"""What the training commands say of material and of settings that they cannot use."""

from pathlib import Path

import numpy as np
import pytest
import torch

import whoplays
from models.catalogue import CATALOGUE
from tests.training.tiny_corpus import write_index, write_sound
from training import recipe as recipes
from training import report
from training.clip import Clip
from training.library import Library
from training.reading import readable
from training.run import RunFolder, configure
from training.splits import Splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of one sound piano; its other files are missing, damaged or silent."""
    write_sound(tmp_path / "piano.wav", 0.1 * np.ones(1000))
    write_sound(tmp_path / "silent.wav", np.zeros(1000))
    (tmp_path / "damaged.wav").write_bytes(b"RIFF, and then nothing")
    names = ("piano", "silent", "damaged", "missing")
    return write_index(tmp_path, [(f"{name}.wav", "pia", name, "made", "CC0") for name in names])


def failure(folder: Path, capfd: pytest.CaptureFixture[str], recipe: str = "solo-rawcnn", **changes: str) -> list[str]:
    """The lines on standard error of a training that fails."""
    chosen = {"out": str(folder / "run"), "cache": str(folder / "cache")} | changes
    options = {f"--{option}": value for option, value in chosen.items()}
    given = [part for option in options.items() for part in option]
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["train", recipe, "--data", f"{folder}@all", *given])
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


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("seed", "-1", "--seed must be 0 or more, not -1"),
        ("seed", "5000000000", "--seed must be 4294967295 or less, not 5000000000"),
        ("lesson-weight", "nan", "--lesson-weight must be 0 or more, not nan"),
        ("lesson-weight", "1", "solo-rawcnn mixes no bands; leave out --lesson-weight"),
        ("bank", "anything", "solo-rawcnn mixes no bands; leave out --bank"),
        ("trees", "5", "solo-rawcnn grows no trees; leave out --trees"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert failure(folder, capfd, **{option: value}) == [f"whoplays: {message}"]


def test_a_gpu_that_would_not_be_used_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    told = "is computed on the CPU alone; leave out --accelerator gpu"
    assert failure(folder, capfd, "forest-raw", accelerator="gpu") == [f"whoplays: forest-raw {told}"]
    taught = failure(folder, capfd, "transfer-melcnn", accelerator="gpu", base=str(folder))
    assert taught == [f"whoplays: transfer-melcnn {told}"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_not_replaced_in_silence(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = [f"piano{k}" for k in range(16)]
    for name in names:
        write_sound(folder / f"{name}.wav", 0.1 * np.ones(1000))
    write_index(folder, [(f"{name}.wav", "pia", name, "made", "CC0") for name in names])
    line = failure(folder, capfd, accelerator="gpu")[-1]
    assert line.startswith("whoplays: cannot compute on gpu here: ")


def test_a_model_is_judged_against_another_and_a_page_is_made(
    corpus: Path, cache: Path, tmp_path: Path, few: None, capfd: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "docs" / "accuracy.md", tmp_path / "judged"
    given = ["--data", str(corpus), "--cache", str(cache), "--out", str(out), "--report", str(page)]
    whoplays.main(["evaluate", "band-melcnn", "--against", str(CATALOGUE / "band-melcnn"), *given])
    said = capfd.readouterr().out
    assert "silence" in said
    assert "tuned" in said
    (kept,) = report.read(out / "metrics.json")
    assert (kept.data, kept.name, kept.shares) == ("tiny", "band-melcnn", 2)
    assert [one.judgements for one in kept.against] == [kept.judgements]
    written = page.read_text(encoding="utf-8")
    assert (
        "whoplays evaluate band-melcnn --data tiny --against band-melcnn --out judged --report accuracy.md" in written
    )
    assert str(tmp_path) not in written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("band-melcnn", "a model is judged with --data"),
        ("band-melcnn --data x --out y --peer tagger=z", "--peer tagger=z: give NAME=PATH; known are yamnet"),
        ("band-melcnn --data x --out y --peer yamnet=z", "--peer yamnet=z: there is no file z"),
        ("band-melcnn duo-rawcnn --data x --out y", "band-melcnn is not a run: of several, each must be one"),
        ("band-melcnn --data x --out y --robustness --impulse z", "z is no impulse response"),
        ("band-melcnn --data x --out y --impulse z", "--impulse is the room of --robustness; add that, or leave"),
        ("band-melcnn --data x --out y --report x/index.csv", "x/index.csv is no page of an earlier --report"),
        ("band-melcnn --data x --out y --report x", "--report x: give the page a name that ends with .md"),
        ("band-melcnn --data x@1/2 --out y", "x@1/2: a share of a corpus is for training; give x"),
        ("run", "run kept no test split; say with --data on what to judge it"),
        ("run run", "several runs are judged together with --data"),
    ],
)
def test_what_cannot_be_judged_gives_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "x" / "a.wav", 0.1 * np.ones(1000))
    write_index(tmp_path / "x", [("a.wav", "pia", "a", "made", "CC0")])
    RunFolder(Path("run")).write_config(configure(recipes.find("solo-rawcnn"), ("x@all",), Splits([], [], [])))
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["evaluate", *arguments.split()])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    assert message in line


def test_what_is_skipped_is_named_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As IRMAS names its files."""
    missing = Clip(path=tmp_path / "[gac][pop_roc]0571__1.wav", labels=frozenset({"gac"}), group="a", source="a")
    assert readable([missing], Library(tmp_path)) == []
    assert capfd.readouterr().err.startswith(f"skipped {missing.path}: ")
