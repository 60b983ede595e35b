"""Training from end to end on a made corpus: it learns, it is repeatable, it resumes."""

import csv
import re
import shutil
import signal
import sys
from pathlib import Path

import msgspec
import pytest
import torch

import whoplays
from tests.training.conftest import little
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipes
from whoplays.training.base import Base
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, by_group
from whoplays.training.evaluate.results import Report
from whoplays.training.evaluate.store import keep_report, read_reports, refuse_evaluated
from whoplays.training.fit.checkpoints import load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.fit.trainer import callbacks, fit
from whoplays.training.recipes import Recipe
from whoplays.training.report import plots as figures
from whoplays.training.run import RunFolder, configure
from whoplays.training.windows.build import open_windows


def weights(tagger: Tagger) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in tagger.network.state_dict().values()]


def same(first: Tagger, second: Tagger) -> bool:
    return all(torch.equal(one, two) for one, two in zip(weights(first), weights(second), strict=True))


def test_a_run_learns(trained: RunFolder) -> None:
    with (trained.folder / "log" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["train_loss"]) for row in rows if row["train_loss"]]
    assert len(losses) == 16
    assert losses[-1] < 0.8 * losses[0]


def test_what_it_learnt_holds_for_players_it_was_not_trained_on(trained: RunFolder, cache: Path) -> None:
    whoplays.main(["evaluate", str(trained.folder), "--cache", str(cache)])
    (found,) = read_reports(trained.folder / "metrics.json")
    precision = {result.set: result.scores.mean_average_precision for result in found.results}
    # By chance it would be about a quarter for solos, a half for pairs.
    assert (precision["solos"] or 0) > 0.5
    assert (precision["pairs"] or 0) > 0.6
    for name in ("curves", "confusion-solos-test-split", "confusion-pairs-test-split"):
        assert (trained.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_keeps_what_it_was_made_of(trained: RunFolder, corpus: Path) -> None:
    config = trained.config()
    assert (config.recipe.epochs, config.recipe.epoch_windows, config.recipe.prepared_windows) == (16, 64, 64)
    assert config.data == (str(corpus),)
    assert not {*config.train} & {*config.validation, *config.test}
    assert len(config.train) + len(config.validation) + len(config.test) == 24
    assert load(config.recipe, trained.best_checkpoint()).recipe.labels == tuple(NAMES)


def test_a_run_is_resumed_only_as_it_was_begun(
    trained: RunFolder, corpus: Path, cache: Path, tagger: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = trained.last_checkpoint.read_bytes()
    for change in ({"seed": 3}, {"epochs": 5}):
        with pytest.raises(SystemExit):
            whoplays.main(["train", *little(corpus, cache, tagger, **change), "--out", str(trained.folder)])
        assert "was begun with other settings" in capfd.readouterr().err
    assert trained.last_checkpoint.read_bytes() == before


def test_a_label_that_is_not_validated_ends_validation(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    """With some labels missing it would mislead; such a run keeps its last epoch."""
    splits = Splits([clip for clip in clips if clip.labels <= {"acoustic guitar", "piano"}], [clips[0]], [])
    recipe = msgspec.structs.replace(
        recipes.find("band-mobilenet"), epochs=1, epoch_windows=8, batch_windows=8, prepared_windows=8
    )
    train(recipe, splits, library, RunFolder(tmp_path))
    assert RunFolder(tmp_path).best_checkpoint().name == "last.ckpt"
    assert "validation" not in (tmp_path / "log" / "metrics.csv").read_text()


def train(recipe: Recipe, splits: Splits, library: Library, run: RunFolder) -> Tagger:
    """Fit to windows of the run's own."""
    windows = open_windows(recipe, splits.train, library, run, [])
    return fit(recipe, splits, library, run, accelerator="cpu", threads=1, prepared=windows)


def steady() -> Recipe:
    """A recipe of constant rate, which may be given more epochs; two windows a step."""
    band = recipes.find("band-mobilenet")
    return msgspec.structs.replace(
        band, one_cycle=False, epochs=2, epoch_windows=4, batch_windows=2, prepared_windows=8, learning_rate=1e-3
    )


@pytest.fixture(scope="module")
def splits(clips: list[Clip]) -> Splits:
    return by_group(clips, seed=1)


@pytest.fixture(scope="module")
def unbroken(splits: Splits, library: Library, tmp_path_factory: pytest.TempPathFactory, few: None) -> Tagger:
    """Two epochs without a stop."""
    run = RunFolder(tmp_path_factory.mktemp("unbroken"))
    train(steady(), splits, library, run)
    return load(steady(), run.last_checkpoint)


def test_the_same_seed_gives_the_same_network(
    unbroken: Tagger, splits: Splits, library: Library, tmp_path: Path
) -> None:
    train(steady(), splits, library, RunFolder(tmp_path / "again"))
    assert same(unbroken, load(steady(), tmp_path / "again" / "checkpoints" / "last.ckpt"))
    other = msgspec.structs.replace(steady(), seed=3)
    train(other, splits, library, RunFolder(tmp_path / "other"))
    assert not same(unbroken, load(other, tmp_path / "other" / "checkpoints" / "last.ckpt"))


def test_in_a_file_every_epoch_is_a_line(
    splits: Splits, library: Library, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(steady(), splits, library, RunFolder(tmp_path))
    said = capfd.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if line.startswith("epoch ")]
    told = [re.fullmatch(r"epoch (\d) of 2: .*train loss \d+\.\d{4}.*", line) for line in lines]
    assert [line and line[1] for line in told] == ["1", "2"]


def test_on_a_terminal_the_bar_tells_losses_alone(
    splits: Splits,
    library: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    train(steady(), splits, library, RunFolder(tmp_path))
    said = capfd.readouterr().out
    assert "train_loss=" in said
    assert "v_num" not in said


def test_a_run_continues_from_another(unbroken: Tagger, splits: Splits, library: Library, tmp_path: Path) -> None:
    """Where nothing is learnt, what is kept is the network that was continued from."""
    base = RunFolder(tmp_path / "base")
    base.write_config(configure(steady(), (), splits))
    train(steady(), splits, library, base)
    still = msgspec.structs.replace(steady(), learning_rate=0.0, seed=5)
    windows = open_windows(still, splits.train, library, base, [base.folder / "windows"])
    run = RunFolder(tmp_path / "run")
    after = fit(still, splits, library, run, accelerator="cpu", threads=1, prepared=windows, base=begun(base))
    learnt = dict(after.network.named_parameters())
    assert all(torch.equal(value, learnt[name]) for name, value in unbroken.network.named_parameters())


def begun(run: RunFolder) -> Base:
    """A run as what is begun from."""
    config = run.config()
    return Base(str(run.folder), run.last_checkpoint, config.recipe.labels, seen=config.seen)


def test_a_run_does_not_continue_from_one_that_was_trained_on_what_it_holds_out(
    splits: Splits, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    base = RunFolder(tmp_path / "base")
    base.write_config(configure(steady(), (), Splits(clips, [], [])))
    windows = open_windows(steady(), splits.train, library, base, [])
    with pytest.raises(DataError, match="other groups that this run holds out"):
        fit(
            steady(),
            splits,
            library,
            RunFolder(tmp_path),
            accelerator="cpu",
            threads=1,
            prepared=windows,
            base=begun(base),
        )


def test_a_run_that_ended_is_left_as_it_is(unbroken: Tagger, splits: Splits, library: Library, tmp_path: Path) -> None:
    """One that stopped early would otherwise learn one more epoch each time that the same is asked for."""
    run = RunFolder(tmp_path)
    train(steady(), splits, library, run)
    kept = torch.load(run.last_checkpoint, weights_only=False)
    stopped = {**kept, "callbacks": {"EarlyStopping": {"stopped_epoch": 1}}}
    torch.save(stopped, run.last_checkpoint)
    longer = msgspec.structs.replace(steady(), epochs=9)
    assert same(unbroken, train(longer, splits, library, run))


def test_a_damaged_run_is_not_resumed(splits: Splits, library: Library, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.checkpoints.mkdir()
    run.last_checkpoint.write_bytes(b"no checkpoint at all")
    with pytest.raises(DataError, match="damaged; delete it and train the run again"):
        train(steady(), splits, library, run)


def test_a_run_that_was_cut_off_is_resumed(unbroken: Tagger, splits: Splits, library: Library, tmp_path: Path) -> None:
    """After one epoch and then another, the network is that of two epochs without a stop."""
    run = RunFolder(tmp_path)
    train(msgspec.structs.replace(steady(), epochs=1), splits, library, run)
    first = load(steady(), run.last_checkpoint)
    train(steady(), splits, library, run)
    assert not same(first, load(steady(), run.last_checkpoint))
    assert same(unbroken, load(steady(), run.last_checkpoint))
    assert sum("train_loss" in log.read_text() for log in run.logs) == 2
    assert figures.draw_curves(run) == tmp_path / "curves.png"


@pytest.mark.slow
def test_the_raw_network_runs_through(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    """One epoch of two windows: enough to see that solos reach it."""
    solo = recipes.find("solo-rawcnn")
    recipe = msgspec.structs.replace(solo, epochs=1, epoch_windows=2, batch_windows=2)
    tagger = fit(recipe, Splits(clips, [], []), library, RunFolder(tmp_path), accelerator="cpu", threads=1)
    with torch.inference_mode():
        probabilities = tagger(torch.from_numpy(library.window(clips[0], 0))[None])
    assert probabilities.shape == (1, len(CORE))
    assert probabilities.sum().item() == pytest.approx(1)


def test_what_was_judged_is_not_trained_on(
    trained: RunFolder, corpus: Path, cache: Path, tagger: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its figures would be of another network; those of its siblings, which its folder may keep as well, would not."""
    run = RunFolder(tmp_path / "run")
    shutil.copytree(trained.folder, run.folder)
    told = Report(
        data="real",
        runs=("run",),
        recipe="band-mobilenet",
        clips=1,
        sources=1,
        labels=(),
        thresholds=(),
        fitted=False,
        results=(),
    )
    keep_report(told, run.folder / "metrics.json")
    again = ["train", *little(corpus, cache, tagger), "--out", str(run.folder)]
    whoplays.main(again)  # changes nothing
    run.last_checkpoint.unlink()
    before = run.config_path.read_bytes()
    with pytest.raises(SystemExit):
        whoplays.main([*again, "--seed", "3"])
    assert "run was evaluated as it is" in capfd.readouterr().err
    assert run.config_path.read_bytes() == before
    keep_report(msgspec.structs.replace(told, runs=("fold1", "fold2")), run.folder / "metrics.json")
    refuse_evaluated(run)


def test_too_little_for_a_batch_is_refused(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    one = Splits(clips[:1], [], [])
    with pytest.raises(DataError, match="an epoch of 1 windows does not fill a batch of 16"):
        fit(recipes.find("solo-rawcnn"), one, library, RunFolder(tmp_path), accelerator="cpu", threads=1)


def test_nothing_to_train_on_is_refused(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    noises = Splits([clip for clip in clips if not clip.labels], [], [])
    with pytest.raises(
        DataError, match="no recording in the training split plays one of: acoustic guitar, piano, trumpet, violin"
    ):
        fit(recipes.find("solo-rawcnn"), noises, library, RunFolder(tmp_path), accelerator="cpu", threads=1)


def test_a_run_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(DataError, match="is not a run"):
        run.config()
    run.write_config(configure(recipes.find("solo-rawcnn"), (), Splits([], [], [])))
    assert run.config().recipe == recipes.find("solo-rawcnn")
    with pytest.raises(DataError, match="has no checkpoint; train it first"):
        run.best_checkpoint()


def test_a_run_that_dies_has_kept_its_last_whole_epoch(
    clips: list[Clip], library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = msgspec.structs.replace(
        recipes.find("band-mobilenet"), epochs=2, epoch_windows=8, batch_windows=8, prepared_windows=8, one_cycle=False
    )
    run, splits = RunFolder(tmp_path / "run"), by_group(clips, recipe.seed)
    step = Tagger.training_step

    def dies_in_its_second_epoch(self: Tagger, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        if self.current_epoch == 1:
            raise MemoryError
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Tagger, "training_step", dies_in_its_second_epoch)
        with pytest.raises(MemoryError):
            train(recipe, splits, library, run)
    assert torch.load(run.last_checkpoint, weights_only=False)["epoch"] == 0
    assert run.timing() is None
    train(recipe, splits, library, run)
    assert torch.load(run.last_checkpoint, weights_only=False)["epoch"] == 1
    timing = run.timing()
    assert timing is not None
    assert timing.epoch_s > 0
    assert [path.name for path in run.checkpoints.iterdir() if path.name.startswith("last")] == ["last.ckpt"]


def test_who_stops_a_training_is_told_where_it_was(
    splits: Splits, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: None
) -> None:
    step = Tagger.training_step

    def stopped_in_its_second_epoch(self: Tagger, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    monkeypatch.setattr(Tagger, "training_step", stopped_in_its_second_epoch)
    heeded = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="stopped in epoch 2 of 2; the same command continues"):
        train(steady(), splits, library, RunFolder(tmp_path))
    signal.signal(signal.SIGINT, heeded)


def test_a_recipe_with_patience_stops_early_where_it_is_validated(tmp_path: Path) -> None:
    recipe = recipes.find("solo-rawcnn")
    for validated in (True, False):
        kinds = {type(callback).__name__ for callback in callbacks(recipe, RunFolder(tmp_path), validated=validated)}
        assert ("EarlyStopping" in kinds) is validated
