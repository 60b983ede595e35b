"""How long a run was trained, by what its folder holds."""

from pathlib import Path

import msgspec
import pytest
import torch

from whoplays.training import recipe as recipes
from whoplays.training.data.splits import Splits
from whoplays.training.fit.progress import note_unfinished, training_length
from whoplays.training.run import RunFolder, configure


def written(folder: Path, learnt: int | None, *, base: Path | None = None, **changes: int | str) -> RunFolder:
    """A run as if it had learnt for so many epochs of 24."""
    run = RunFolder(folder)
    recipe = msgspec.structs.replace(recipes.find("band-melcnn"), **changes)
    config = configure(recipe, (), Splits([], [], []))
    run.write_config(msgspec.structs.replace(config, base=str(base) if base else None))
    run.checkpoints.mkdir(exist_ok=True)
    torch.save({} if learnt is None else {"epoch": learnt - 1}, run.last_checkpoint)
    return run


@pytest.mark.parametrize(
    ("learnt", "told"),
    [(3, "3 epochs of 8,192 windows"), (1, "1 epoch of 8,192 windows"), (None, "24 epochs of 8,192 windows")],
)
def test_what_was_learnt_counts_not_what_was_planned(tmp_path: Path, learnt: int | None, told: str) -> None:
    assert training_length(written(tmp_path, learnt)) == told


def test_what_a_run_went_on_from_counts_too(tmp_path: Path) -> None:
    written(tmp_path / "a", 5)
    written(tmp_path / "b", 7, base=tmp_path / "a")
    assert training_length(written(tmp_path / "c", 2, base=tmp_path / "b")) == "14 epochs of 8,192 windows"
    written(tmp_path / "a", 5, epoch_windows=256)
    assert training_length(RunFolder(tmp_path / "c")) == "9 epochs of 8,192 windows and 5 epochs of 256 windows"


@pytest.mark.parametrize(
    ("gone", "recipe"), [("nowhere", "the same recipe"), ("c", "the same recipe"), ("other", "another")]
)
def test_of_a_base_that_cannot_be_counted_it_is_told_that_there_was_one(tmp_path: Path, gone: str, recipe: str) -> None:
    """Its folder may be gone, or since have been given to the very run that went on from it, or to another recipe's."""
    written(tmp_path / "other", 5, name="another")
    run = written(tmp_path / "c", 2, base=tmp_path / gone)
    assert training_length(run) == f"2 epochs of 8,192 windows, after a run of {recipe}"


def test_an_unfinished_run_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    note_unfinished(written(tmp_path / "run", 24))
    assert capfd.readouterr().err == ""
    note_unfinished(written(tmp_path / "run", 3))
    assert capfd.readouterr().err == (
        f"{tmp_path / 'run'} is unfinished, after 3 of 24 epochs; the command that trained it goes on\n"
    )
    (tmp_path / "run" / "checkpoints" / "last.ckpt").write_bytes(b"damaged")
    note_unfinished(RunFolder(tmp_path / "run"))
    assert capfd.readouterr().err == ""
