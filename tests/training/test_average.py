from pathlib import Path

import msgspec
import pytest
import torch

import whoplays
from models.errors import DataError, OptionError
from training import recipe as recipes
from training.average import average
from training.cached import keep_checkpoint
from training.fit import has_ended, load
from training.recipe import Recipe
from training.run import Config, RunFolder
from training.tagger import Tagger

RECIPE = recipes.find("band-melcnn")


def made_run(folder: Path, value: float, recipe: Recipe = RECIPE, **config: object) -> RunFolder:
    """A run all of whose weights are of one value."""
    run = RunFolder(folder)
    facts = {"data": (), "train": ("a",), "validation": (), "test": ()} | config
    run.write_config(msgspec.convert({"recipe": recipe, **facts}, Config))
    tagger = Tagger(recipe, 3)
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
    assert has_ended(out, RECIPE)


def test_it_has_heard_what_the_last_has_and_tells_all_that_taught_it(tmp_path: Path) -> None:
    one = made_run(tmp_path / "one", 1, train=("a",), validation=("v",), teachers=("yamnet",), music=(("b", "CC0"),))
    two = made_run(
        tmp_path / "two", 2, train=("a", "v", "c"), test=("d",), data=("x@all",), base=str(one.folder),
        teachers=("mn04",), music=(("c", "CC0"),), banks=("bank",),
    )  # fmt: skip
    average([one, two], RunFolder(tmp_path / "mean"))
    learnt = {"teachers": ("mn04", "yamnet"), "music": (("b", "CC0"), ("c", "CC0"))}
    averaged = (str(one.folder), str(two.folder))
    assert RunFolder(tmp_path / "mean").config() == msgspec.structs.replace(two.config(), averaged=averaged, **learnt)


@pytest.mark.parametrize("heard", [{"train": ("a", "b")}, {"validation": ("b",)}])
def test_a_run_that_has_not_heard_all_that_the_one_before_has_is_refused(
    heard: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    """It did not go on from that one, and might be asked about what that one knows."""
    one, two = made_run(tmp_path / "one", 1, RECIPE, **heard), made_run(tmp_path / "two", 2, test=("b",))
    with pytest.raises(DataError, match=r"one has heard what .*two has not; name runs in the order"):
        average([one, two], RunFolder(tmp_path / "mean"))
    assert not (tmp_path / "mean").exists()


def test_runs_of_another_network_labels_or_task_are_refused(tmp_path: Path) -> None:
    one = made_run(tmp_path / "one", 1)
    for changed in ({"network": "padded-mel-cnn"}, {"labels": RECIPE.labels[1:]}, {"task": "single-label"}):
        two = made_run(tmp_path / "two", 2, msgspec.structs.replace(RECIPE, **changed))
        with pytest.raises(DataError, match="two is of another network, of other labels or of another task than"):
            average([one, two], RunFolder(tmp_path / "mean"))


def test_a_less_deep_network_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """What it lacks would be taken from chance."""
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    state = torch.load(one.last_checkpoint)["state_dict"]
    shallow = {name: value for name, value in state.items() if "11-deeper-3" not in name}
    torch.save({"state_dict": shallow}, one.last_checkpoint)
    assert load(RECIPE, one.last_checkpoint)
    with pytest.raises(DataError, match="of an earlier version"):
        average([one, two], RunFolder(tmp_path / "mean"))


def test_a_run_that_has_not_ended_or_is_damaged_is_refused(tmp_path: Path) -> None:
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    kept = torch.load(two.last_checkpoint)
    torch.save(kept | {"epoch": RECIPE.epochs - 2, "callbacks": {}}, two.last_checkpoint)
    with pytest.raises(DataError, match="two has not ended"):
        average([one, two], RunFolder(tmp_path / "mean"))
    two.last_checkpoint.write_bytes(b"")
    with pytest.raises(DataError, match=r"last\.ckpt is damaged"):
        average([one, two], RunFolder(tmp_path / "mean"))


@pytest.mark.parametrize("name", ["forest-mel", "transfer-melcnn"])
def test_what_hears_its_windows_once_has_no_mean(name: str, tmp_path: Path) -> None:
    config = Config(recipe=recipes.find(name), data=(), train=(), validation=(), test=())
    for folder in ("one", "two"):
        RunFolder(tmp_path / folder).write_config(config)
    with pytest.raises(DataError, match=f"one is of {name}, whose weights mean nothing on average"):
        average([RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")], RunFolder(tmp_path / "mean"))


def test_every_run_counts_once(tmp_path: Path) -> None:
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    for runs in ([one], [one, two, RunFolder(tmp_path / "two" / ".." / "one")]):
        with pytest.raises(OptionError, match="two runs or more to average, each once"):
            average(runs, RunFolder(tmp_path / "mean"))


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    words = ["average", str(one.folder), str(two.folder), "--out", str(two.folder)]
    with pytest.raises(SystemExit, match="1"):
        whoplays.main(words)
    assert "two is a run already; choose another --out" in capsys.readouterr().err
    whoplays.main([*words[:-1], str(tmp_path / "mean")])
    assert "whoplays evaluate" in capsys.readouterr().err
    assert load(RECIPE, RunFolder(tmp_path / "mean").best_checkpoint())


def test_where_nothing_can_be_written_no_run_is_left(tmp_path: Path) -> None:
    one, two = made_run(tmp_path / "one", 1), made_run(tmp_path / "two", 2)
    (tmp_path / "mean").write_text("a file")
    with pytest.raises(DataError, match=r"last\.ckpt cannot be written"):
        average([one, two], RunFolder(tmp_path / "mean"))
