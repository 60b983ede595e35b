"""The table of the original project: rows that are there are not trained again, and all are evaluated alike."""

import os
import re
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
import torch

import whoplays
from whoplays.command import command_line
from whoplays.models.errors import DataError
from whoplays.training import recipes
from whoplays.training.baselines import table
from whoplays.training.baselines.fit_forest import fit_forest
from whoplays.training.baselines.rows import ROWS, Row
from whoplays.training.baselines.table import make_table
from whoplays.training.baselines.table_page import HEAD, page
from whoplays.training.cli import baselines as table_commands
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, by_group
from whoplays.training.evaluate.plan import Recordings
from whoplays.training.networks.efficientat import EfficientATNetwork
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.run import RunFolder, configure

ROW = Row("forest-mel-3", "forest-mel", MappingProxyType({"trees": 3}), None, "38 %")


@pytest.fixture(scope="module")
def splits(clips: list[Clip]) -> Splits:
    return by_group(clips, 20)


def test_every_row_is_of_a_recipe_and_stands_after_its_base() -> None:
    seen: set[str] = set()
    for row in ROWS:
        recipe = recipes.find(row.recipe)
        assert (row.base is None) == (recipe.base is None)
        assert row.base is None or row.base == EFFICIENTAT or row.base in seen
        assert all(hasattr(recipe, name) for name in row.changes)
        seen.add(row.name)
    assert len(seen) == len(ROWS)


def test_a_row_is_trained_and_evaluated_once(
    splits: Splits, library: Library, tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def train(row: Row, run: RunFolder) -> None:
        asked.append(row.name)
        recipe = msgspec.structs.replace(recipes.find(row.recipe), epoch_windows=24, **row.changes)
        run.write_config(configure(recipe, (), splits))
        fit_forest(recipe, splits, library, run, threads=1)

    def make() -> list[table.Made]:
        materials = [Recordings("test split", splits.test)]
        return list(make_table([ROW], tmp_path / "runs", train, materials, library, tmp_path / "out", 1))

    made = make()
    monkeypatch.setattr(table, "evaluate", lambda *_: pytest.fail("evaluated twice"))
    assert make() == made
    assert asked == [ROW.name]
    text = page(made, "whoplays baselines")
    assert "| forest-mel-3 | A random forest over statistics" in text
    assert "## test split: the four core labels" in text
    assert "leaked" in text
    assert (tmp_path / "out" / ROW.name / "confusion-pairs-test-split.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_stopped_early_is_not_trained_again(splits: Splits, tmp_path: Path) -> None:
    """It would learn one more epoch each time that the table is made."""
    run = RunFolder(tmp_path)
    recipe = recipes.find("duo-crnn")
    run.write_config(configure(recipe, (), splits))
    run.checkpoints.mkdir()
    for stopped_epoch, finished in ((0, False), (7, True)):
        callbacks = {"EarlyStopping": {"stopped_epoch": stopped_epoch}, "ModelCheckpoint": {"monitor": None}}
        torch.save({"epoch": 7, "callbacks": callbacks}, run.last_checkpoint)
        assert table._finished(run) is finished
    torch.save({"epoch": recipe.epochs - 1, "callbacks": {}}, run.last_checkpoint)
    assert table._finished(run)


def test_a_row_whose_files_are_damaged_is_made_again(
    splits: Splits, library: Library, tmp_path: Path, few: None
) -> None:
    trained: list[str] = []

    def train(row: Row, run: RunFolder) -> None:
        trained.append(row.name)
        recipe = msgspec.structs.replace(recipes.find(row.recipe), epoch_windows=24, **row.changes)
        run.write_config(configure(recipe, (), splits))
        fit_forest(recipe, splits, library, run, threads=1)

    def make() -> table.Made:
        materials = [Recordings("test split", splits.test)]
        (made,) = make_table([ROW], tmp_path / "runs", train, materials, library, tmp_path / "out", 1)
        return made

    reports = [make().reports]
    checkpoint = RunFolder(tmp_path / "runs" / ROW.name).last_checkpoint
    for damaged in (checkpoint, tmp_path / "out" / ROW.name / "test split.json"):
        damaged.write_bytes(damaged.read_bytes()[:100])
        reports.append(make().reports)
    assert reports[0] == reports[1] == reports[2]
    assert len(trained) == 2


def test_a_row_is_asked_again_about_recordings_that_have_changed(splits: Splits, tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"a network")
    before = table._key(tmp_path / "last.ckpt", splits.test)
    assert table._key(tmp_path / "last.ckpt", splits.test) == before
    first = splits.test[0].path
    copy = tmp_path / first.name
    copy.write_bytes(first.read_bytes())
    changed = [msgspec.structs.replace(splits.test[0], path=copy), *splits.test[1:]]
    keys = [table._key(tmp_path / "last.ckpt", changed)]
    os.utime(copy, ns=(1, 1))
    keys.append(table._key(tmp_path / "last.ckpt", changed))
    for corrected in ({"source": "elsewhere"}, {"group": "another"}, {"labels": frozenset({"violin", "piano"})}):
        again = [msgspec.structs.replace(changed[0], **corrected), *changed[1:]]
        keys.append(table._key(tmp_path / "last.ckpt", again))
    assert len({before, *keys}) == 6


def test_a_run_that_was_trained_on_the_questions_is_refused(
    splits: Splits, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    def train(row: Row, run: RunFolder) -> None:
        recipe = msgspec.structs.replace(recipes.find(row.recipe), epoch_windows=8, **row.changes)
        run.write_config(configure(recipe, (), Splits(clips, [], [])))
        fit_forest(recipe, splits, library, run, threads=1)

    with pytest.raises(DataError, match="which the table is evaluated on"):
        list(make_table([ROW], tmp_path, train, [Recordings("all", clips)], library, tmp_path, 1))


def test_the_page_tells_the_command_that_was_given(
    corpus: Path, cache: Path, tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold of a folder elsewhere, single rows and the page itself; typed again, it is understood the same way."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(table, "make_table", lambda *_: iter([table.Made(ROW, recipes.find(ROW.recipe), 1, None, ())]))
    given = ["--data", f"{corpus}@2/5", "--judge", str(corpus), "--runs", "runs", "--out", "runs/table"]
    given += ["--only", "forest-mel-50", "--only", "forest-raw-50", "--report", "docs/original-project.md"]
    whoplays.main(["baselines", *given, "--cache", str(cache)])
    (command,) = re.findall(r"^whoplays baselines .*$", Path("docs/original-project.md").read_text(), re.MULTILINE)
    assert command == (
        "whoplays baselines --data tiny@2/5 --judge tiny --only forest-mel-50 --only forest-raw-50 "
        "--runs runs --out runs/table --report docs/original-project.md"
    )
    command_line("baselines").parse_args(command.split()[1:], exit_on_error=False, print_error=False)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(EfficientATNetwork().state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def test_the_row_of_a_tagger_wants_its_weights(
    corpus: Path,
    cache: Path,
    tmp_path: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is trained on them, or is taken where its run is there already; else it alone is left out."""
    trained: list[list[tuple[str, str | None]]] = []

    def make(rows: list[Row], runs: Path, train: table.Train, *_: object) -> list[table.Made]:
        trained.append([])
        for row in rows:
            train(row, RunFolder(runs / row.name))
        return [table.Made(ROW, recipes.find(ROW.recipe), 1, None, ())]

    monkeypatch.setattr(table, "make_table", make)
    monkeypatch.setattr(table_commands, "train", lambda name, base, **_: trained[-1].append((name, base)))
    runs = tmp_path / "runs"
    given = ["baselines", "--data", str(corpus), "--runs", str(runs), "--out", str(tmp_path / "table")]
    given += ["--cache", str(cache), "--only", "transfer-rawcnn", "--only", "transfer-efficientat"]
    whoplays.main(given)
    assert "left out; name the weights it learns from with --efficientat FILE.pt" in capfd.readouterr().err
    whoplays.main([*given, "--efficientat", str(weights)])
    run = RunFolder(runs / "transfer-efficientat")
    run.write_config(configure(recipes.find("transfer-efficientat"), (), Splits([], [], [])))
    whoplays.main(given)
    run.checkpoints.mkdir()
    torch.save({}, run.last_checkpoint)
    whoplays.main(given)
    raw = ("transfer-rawcnn", str(runs / "solo-rawcnn"))
    assert trained == [
        [raw],
        [raw, ("transfer-efficientat", str(weights))],
        [raw],
        [raw, ("transfer-efficientat", None)],
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--only=lasagne", "not found; there are: forest-raw-50"),
        ("--threads=0", "at least 1"),
        ("--only=transfer-efficientat", "the weights with --efficientat FILE.pt"),
        ("--efficientat=nothing.pt", "nothing.pt does not hold the weights"),
    ],
)
def test_what_makes_no_sense_is_refused(
    option: str, message: str, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["baselines", "--data", str(corpus), "--runs", str(tmp_path), "--out", str(tmp_path), option])
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("whoplays: ")
    assert message in line


def test_the_page_in_docs_has_the_head_that_is_made_now() -> None:
    page = Path(__file__).parents[3] / "docs" / "original-project.md"
    assert page.read_text(encoding="utf-8").startswith(HEAD)


def test_no_other_file_is_written_over(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is trained."""
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text("# Mine\n")
    with pytest.raises(SystemExit):
        whoplays.main(["baselines", "--data", str(corpus), "--runs", "runs", "--out", "out", "--report", "README.md"])
    assert "README.md is no page of an earlier --report and is not written over" in capsys.readouterr().err
    assert Path("README.md").read_text() == "# Mine\n"
    assert not Path("runs").exists()
