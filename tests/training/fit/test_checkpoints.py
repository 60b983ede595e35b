"""What is kept of a network, and for how long it was trained by what its folder holds."""

from pathlib import Path

import msgspec
import pytest
import torch

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training import recipes
from whoplays.training.base import Base
from whoplays.training.data.splits import Splits
from whoplays.training.fit.checkpoints import (
    begin_from,
    keep_between,
    load,
    note_unfinished,
    training_length,
    write_checkpoint,
    write_weights,
)
from whoplays.training.fit.tagger import Tagger
from whoplays.training.run import RunFolder, configure

EPOCHS = recipes.find("band-mobilenet").epochs


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"last\.ckpt cannot be used"):
        load(recipes.find("band-mobilenet"), path)


def test_of_a_checkpoint_cut_short_one_sentence_is_told(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"stray": torch.zeros(1000)}}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError) as refusal:
        load(recipes.find("band-mobilenet"), path)
    told = "PytorchStreamReader failed reading zip archive: failed finding central directory"
    assert str(refusal.value) == f"{path} cannot be used ({told}); train the run again"


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"stray": torch.zeros(1)}}, path)
    with pytest.raises(DataError, match=r"last\.ckpt cannot be used"):
        load(recipes.find("band-mobilenet"), path)


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(DataError, match=r"last\.ckpt cannot be written: .*directory"):
        write_checkpoint(Tagger(recipes.find("duo-rawcnn")), RunFolder(tmp_path / "run"))


def written(folder: Path, learnt: int | None, *, base: Path | None = None, **changes: int | str) -> RunFolder:
    """A run as if it had learnt for so many epochs of all."""
    run = RunFolder(folder)
    recipe = msgspec.structs.replace(recipes.find("band-mobilenet"), **changes)
    config = configure(recipe, (), Splits([], [], []))
    run.write_config(msgspec.structs.replace(config, base=str(base) if base else None))
    run.checkpoints.mkdir(exist_ok=True)
    torch.save({} if learnt is None else {"epoch": learnt - 1}, run.last_checkpoint)
    return run


@pytest.mark.parametrize(
    ("learnt", "told"),
    [(3, "3 epochs of 6,400 windows"), (1, "1 epoch of 6,400 windows"), (None, f"{EPOCHS} epochs of 6,400 windows")],
)
def test_epochs_that_were_trained_count_not_those_planned(tmp_path: Path, learnt: int | None, told: str) -> None:
    assert training_length(written(tmp_path, learnt)) == told


def test_what_a_run_began_from_is_told(tmp_path: Path) -> None:
    """By its own name: where it stood on somebody's machine is nobody's business."""
    assert training_length(written(tmp_path, 2, base=tmp_path / "fold1")) == "2 epochs of 6,400 windows, from fold1"


def test_an_unfinished_run_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    note_unfinished(written(tmp_path / "run", EPOCHS))
    assert capfd.readouterr().err == ""
    note_unfinished(written(tmp_path / "run", 3))
    assert capfd.readouterr().err == (
        f"{tmp_path / 'run'} is unfinished, after 3 of {EPOCHS} epochs; the command that trained it continues\n"
    )
    (tmp_path / "run" / "checkpoints" / "last.ckpt").write_bytes(b"damaged")
    note_unfinished(RunFolder(tmp_path / "run"))
    assert capfd.readouterr().err == ""


def test_what_a_base_knows_of_a_label_is_taken_over_wherever_it_stands(tmp_path: Path) -> None:
    """A label that it does not know begins as the mean of those that it does."""
    before = Tagger(msgspec.structs.replace(recipes.find("duo-crnn"), labels=("violin", "piano", "flute")))
    write_weights(before, tmp_path / "weights.safetensors")
    after = Tagger(msgspec.structs.replace(recipes.find("duo-crnn"), labels=("piano", "theremin")))
    begin_from(after, Base("made", tmp_path / "weights.safetensors", before.recipe.labels))
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()
    for name, value in new.items():
        if name.startswith("network.head."):
            assert torch.equal(value[0], old[name][1])
            torch.testing.assert_close(value[1], old[name].mean(dim=0))
        else:
            assert torch.equal(value, old[name])
    with pytest.raises(DataError, match="made is of another network than duo-rawcnn"):
        begin_from(Tagger(recipes.find("duo-rawcnn")), Base("made", tmp_path / "weights.safetensors", CORE))


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_damaged_weights_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"weights\.safetensors cannot be used"):
        begin_from(Tagger(recipes.find("duo-crnn")), Base("made", path, CORE))


def test_what_a_run_ends_with_is_between_its_beginning_and_what_it_learnt(tmp_path: Path) -> None:
    recipe = recipes.find("band-mobilenet")
    run = RunFolder(tmp_path)
    begun, trained = Tagger(recipe), Tagger(recipe)
    run.checkpoints.mkdir()
    write_checkpoint(trained, run)
    keep_between(recipe, run, begun.state_dict())
    assert run.best_checkpoint() != run.last_checkpoint
    found, before, after = (each.state_dict() for each in (load(recipe, run.best_checkpoint()), begun, trained))
    name = "network.window_head.3.weight"
    torch.testing.assert_close(found[name], 0.5 * after[name] + 0.5 * before[name])
    assert not torch.equal(before[name], after[name])
    steps = "network.frame_head.3.weight"
    torch.testing.assert_close(found[steps], after[steps])
