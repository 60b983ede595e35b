"""What the training commands say of material and of settings that they cannot use."""

from pathlib import Path

import numpy as np
import pytest
import torch

import whoplays
from tests.training.data.tiny_corpus import write_index, write_sound
from whoplays.models.catalogue import CATALOGUE, DEFAULT
from whoplays.training import recipes
from whoplays.training.baselines import fit_forest
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import readable
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate.store import read_reports
from whoplays.training.run import RunFolder, configure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus of one sound piano; its other files are missing, damaged or silent."""
    write_sound(tmp_path / "piano.wav", 0.1 * np.ones(1000))
    write_sound(tmp_path / "silent.wav", np.zeros(1000))
    (tmp_path / "damaged.wav").write_bytes(b"RIFF, and then nothing")
    names = ("piano", "silent", "damaged", "missing")
    return write_index(tmp_path, [(f"{name}.wav", "piano", name, "made", "CC0") for name in names])


def failure(
    folder: Path, capfd: pytest.CaptureFixture[str], recipe: str | None = "solo-rawcnn", **changes: str
) -> list[str]:
    """The lines on standard error of a training that fails."""
    chosen = {"out": str(folder / "run"), "cache": str(folder / "cache")} | changes
    options = {f"--{option}": value for option, value in chosen.items()}
    given = [part for option in options.items() for part in option]
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["train", *([recipe] if recipe else []), "--data", f"{folder}@all", *given])
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
        ("seed", "-1", "--seed must be at least 0, got -1"),
        ("seed", "5000000000", "--seed must be between 0 and 4294967295, got 5000000000"),
        ("prepared", "anything", "solo-rawcnn draws no mixtures; leave out --prepared"),
        ("bank", "anything", "solo-rawcnn draws no mixtures; leave out --prepared"),
        ("prepared-windows", "9", "solo-rawcnn draws no mixtures; leave out --prepared-windows"),
        ("trees", "5", "solo-rawcnn grows no trees; leave out --trees"),
    ],
)
def test_an_option_out_of_range_is_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert failure(folder, capfd, **{option: value}) == [f"whoplays: {message}"]


def test_a_gpu_that_would_not_be_used_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    told = "is computed on the CPU alone; leave out --accelerator gpu"
    assert failure(folder, capfd, "forest-raw", accelerator="gpu") == [f"whoplays: forest-raw {told}"]
    taught = failure(folder, capfd, "transfer-rawcnn", accelerator="gpu", base=str(folder))
    assert taught == [f"whoplays: transfer-rawcnn {told}"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_missed_before_anything_is_made(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (line,) = failure(folder, capfd, "duo-crnn", accelerator="gpu")
    assert line.startswith("whoplays: cannot compute on gpu here: ")
    assert not (folder / "run").exists()


@pytest.mark.parametrize(("groups", "on"), [(1, " --data DIR"), (5, "")])
def test_a_run_is_judged_on_its_own_test_split_where_it_has_one(
    groups: int, on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows: list[tuple[str, ...]] = [(f"{k}.wav", "piano", f"g{k}", "made", "CC0") for k in range(groups)]
    for name, *_ in rows:
        write_sound(tmp_path / "x" / name, 0.1 * np.ones(1000))
    write_index(tmp_path / "x", rows)
    monkeypatch.setattr(fit_forest, "fit_forest", lambda *_, **__: None)
    given = ["--data", str(tmp_path / "x"), "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    whoplays.main(["train", "forest-raw", *given])
    told = capfd.readouterr().err.splitlines()[-1]
    assert told == f"trained; evaluate it with: whoplays evaluate {tmp_path / 'run'}{on}"


@pytest.mark.parametrize("rows", [[], [("missing.wav", "piano", "g", "made", "CC0")]])
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train duo-crnn --data x@all --out run", "there is nothing to train on: no recording in x@all can be read"),
        ("prepare windows --data x", "there is nothing to prepare: no recording in x can be read"),
        ("evaluate default --data x --out y", "there is nothing to evaluate on: no recording in x can be read"),
    ],
)
def test_where_nothing_can_be_read_it_is_said(
    rows: list[tuple[str, ...]],
    command: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_index(tmp_path / "x", rows)
    with pytest.raises(SystemExit):
        whoplays.main([*command.split(), "--cache", "cache"])
    assert capfd.readouterr().err.splitlines()[-1] == f"whoplays: {told}"


def test_what_to_begin_from_is_looked_for_before_anything_is_read(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a recipe, by what it is: a file is a tagger, all else is fine-tuned."""
    (line,) = failure(folder, capfd, None, base=str(folder))
    assert line.startswith(f"whoplays: {folder} is not a run: it holds no config.json; nor is it a model")
    (line,) = failure(folder, capfd, None, base=str(tmp_path / "nothing.pt"))
    assert "nothing.pt does not hold the weights of EfficientAT" in line
    (line,) = failure(folder, capfd, None)
    assert line.endswith("--base FILE.pt; or teach a model that ships, with --base default")
    (line,) = failure(folder, capfd, "fine-tune")
    assert line.endswith("begins from a model or a run: name one with --base, such as --base default")
    (line,) = failure(folder, capfd, "duo-rawcnn", base="solo-rawcnn")
    assert line.endswith(
        "holds no weights.safetensors, of the network only its graph; give --base default, or export its run again"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--out", "nope"], "nope is not a run"),
        (["--out", "run", "--false-alarm-cost", "2"], "--rule f-measure has no cost of false alarms; leave out"),
    ],
)
def test_a_calibration_that_nobody_would_find_or_weigh_is_refused(
    given: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    RunFolder(Path("run")).write_config(configure(recipes.find("solo-rawcnn"), ("x",), Splits([], [], [])))
    with pytest.raises(SystemExit):
        whoplays.main(["calibrate", "run", "--data", "x", *given])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"whoplays: {told}")


def test_a_model_is_judged_against_another_and_a_page_is_made(
    corpus: Path, cache: Path, tmp_path: Path, few: None, capfd: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "docs" / "accuracy.md", tmp_path / "judged"
    given = ["--data", str(corpus), "--cache", str(cache), "--out", str(out), "--report", str(page)]
    whoplays.main(["evaluate", "default", "--against", str(CATALOGUE / DEFAULT), *given])
    said = capfd.readouterr().out
    assert "silence" in said
    assert "tuned" in said
    (kept,) = read_reports(out / "metrics.json")
    assert (kept.data, kept.name, kept.folds) == ("tiny", DEFAULT, 2)
    assert [one.results for one in kept.against] == [kept.results]
    written = page.read_text(encoding="utf-8")
    assert f"whoplays evaluate default --data tiny --against {DEFAULT} --out judged --report accuracy.md" in written
    assert str(tmp_path) not in written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("default", "a model needs --data"),
        ("default --data x --out y --peer tagger=z", "--peer must be NAME=PATH with a NAME of yamnet"),
        ("default --data x --out y --peer yamnet=z", "--peer yamnet=z: file z not found"),
        ("default duo-rawcnn --data x --out y", "default is not a run: of several, each must be one"),
        ("default --data x --out y --robustness --impulse z", "z is not an impulse response"),
        ("default --data x --out y --impulse z", "--impulse is the room of --robustness; add that, or leave"),
        ("default --data x --out y --report x/index.csv", "x/index.csv is no page of an earlier --report"),
        ("default --data x --out y --report x", "--report x: give the page a name that ends with .md"),
        ("default --data x@1/2 --out y", "x@1/2: a share of a corpus is for training; give x"),
        ("run", "run kept no test split; say with --data on what to evaluate it"),
        ("run run", "several runs are evaluated together with --data"),
    ],
)
def test_what_cannot_be_judged_gives_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "x" / "a.wav", 0.1 * np.ones(1000))
    write_index(tmp_path / "x", [("a.wav", "piano", "a", "made", "CC0")])
    RunFolder(Path("run")).write_config(configure(recipes.find("solo-rawcnn"), ("x@all",), Splits([], [], [])))
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["evaluate", *arguments.split()])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    assert message in line


def test_what_is_skipped_is_named_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As IRMAS names its files."""
    missing = Clip(
        path=tmp_path / "[gac][pop_roc]0571__1.wav", labels=frozenset({"acoustic guitar"}), group="a", source="a"
    )
    assert readable([missing], Library(tmp_path)) == []
    assert capfd.readouterr().err.startswith(f"skipped {missing.path}: ")
