from pathlib import Path

import msgspec
import pytest
import torch

import whoplays
from models.errors import DataError, OptionError
from training import recipe as recipes
from training.average import average
from training.cached import keep_checkpoint
from training.fit import load
from training.recipe import Recipe
from training.run import Config, RunFolder
from training.tagger import Tagger

RECIPE = recipes.find("band-melcnn")


def made_run(
    folder: Path, value: float, heard: tuple[str, ...] = ("a",), test: tuple[str, ...] = (), recipe: Recipe = RECIPE
) -> RunFolder:
    """A run all of whose weights are of one value."""
    run = RunFolder(folder)
    data = tuple(f"{group}@all" for group in heard)
    run.write_config(
        Config(recipe=recipe, data=data, train=heard, validation=(), test=test, music=((heard[-1], "CC0"),))
    )
    tagger = Tagger(recipe)
    with torch.no_grad():
        for weight in tagger.state_dict().values():
            weight.fill_(value)
    keep_checkpoint(tagger, run)
    return run


def test_weights_are_averaged_and_counts_are_the_last_run_s(tmp_path: Path) -> None:
    out = RunFolder(tmp_path / "mean")
    average([made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2), made_run(tmp_path / "six", 6)], out)
    state = load(RECIPE, out.best_checkpoint()).state_dict()
    assert {value.mean().item() for value in state.values() if value.is_floating_point()} == {3.0}
    assert {value.item() for value in state.values() if not value.is_floating_point()} == {6}


def test_what_any_run_has_heard_the_new_one_has(tmp_path: Path) -> None:
    """Or it would be asked about recordings that half of it knows."""
    one = made_run(tmp_path / "one", 1, heard=("a", "b"), test=("c", "d"))
    two = made_run(tmp_path / "two", 2, heard=("a", "c"), test=("b", "d"))
    average([one, two], RunFolder(tmp_path / "mean"))
    config = RunFolder(tmp_path / "mean").config()
    assert config.heard == {"a", "b", "c"}
    assert config.test == ("d",)
    assert config.data == ("a@all", "b@all", "c@all")
    assert config.music == (("b", "CC0"), ("c", "CC0"))


def test_runs_of_another_network_or_of_other_labels_are_refused(tmp_path: Path) -> None:
    one = made_run(tmp_path / "one", 1)
    for recipe in (recipes.find("padded-melcnn"), msgspec.structs.replace(RECIPE, labels=RECIPE.labels[1:])):
        two = made_run(tmp_path / "two", 2, recipe=recipe)
        with pytest.raises(DataError, match="two is of another network or other labels"):
            average([one, two], RunFolder(tmp_path / "mean"))
    assert not (tmp_path / "mean").exists()


def test_a_forest_has_no_mean(tmp_path: Path) -> None:
    config = Config(recipe=recipes.find("forest-mel"), data=(), train=(), validation=(), test=())
    for name in ("one", "two"):
        RunFolder(tmp_path / name).write_config(config)
    with pytest.raises(DataError, match="one is of forest-mel, whose weights mean nothing on average"):
        average([RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")], RunFolder(tmp_path / "mean"))


def test_one_run_is_no_average(tmp_path: Path) -> None:
    one = made_run(tmp_path / "one", 1)
    with pytest.raises(OptionError, match="two different runs or more"):
        average([one, RunFolder(tmp_path / "two" / ".." / "one")], RunFolder(tmp_path / "mean"))


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    words = ["average", str(one.folder), str(two.folder), "--out", str(two.folder)]
    with pytest.raises(SystemExit, match="1"):
        whoplays.main(words)
    assert "two is there already; choose another --out" in capsys.readouterr().err
    whoplays.main([*words[:-1], str(tmp_path / "mean")])
    assert "whoplays evaluate" in capsys.readouterr().err
    assert load(RECIPE, RunFolder(tmp_path / "mean").best_checkpoint())
