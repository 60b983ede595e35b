"""Calibrating runs that were never trained: what is fitted on whose predictions, and what is kept."""

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch

import whoplays
from tests.training.evaluate.made_models import untrained
from whoplays.models.errors import DataError
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate import predictors
from whoplays.training.evaluate.calibrate import Calibrated, FitOptions, calibrate, fit_table
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.inference import infer
from whoplays.training.evaluate.plan import Recordings, make_plan
from whoplays.training.evaluate.predictors import model_of_runs
from whoplays.training.evaluate.store import keep_calibration, read_calibration, read_calibrations, read_reports
from whoplays.training.fit.tagger import Tagger
from whoplays.training.report.calibration import tables
from whoplays.training.run import RunFolder, configure

OPTIONS = FitOptions("platt", "exact", 1.0)
LABELS = recipes.find("band-mobilenet").labels
HALF = np.full(len(LABELS), 0.5)
SPREAD = 1e4
"""Without it an untrained network predicts nearly the same of all windows."""


@pytest.fixture(scope="module")
def runs(halves: tuple[list[Clip], list[Clip]], tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two runs, each as if trained on what the other was not."""
    folder = tmp_path_factory.mktemp("halves")
    return [
        untrained(folder / name, seen, seed=seed, spread=SPREAD)
        for seed, (name, seen) in enumerate(zip("ab", halves, strict=True))
    ]


@pytest.fixture(scope="module")
def out(runs: list[RunFolder], clips: list[Clip]) -> RunFolder:
    """Where what is fitted on all predictions is kept."""
    return untrained(runs[0].folder.parent / "out", clips)


@pytest.fixture(scope="module")
def found(runs: list[RunFolder], out: RunFolder, clips: list[Clip], library: Library, few: None) -> Calibrated:
    return calibrate(runs, Recordings("tiny", clips), [Recordings("again", clips)], library, out, OPTIONS)


@pytest.mark.usefixtures("found")
def test_each_run_gets_what_fits_the_predictions_of_the_others(runs: list[RunFolder], found: Calibrated) -> None:
    kept = [read_calibration(run) for run in runs]
    for run, own, other in zip(runs, kept, reversed(runs), strict=True):
        assert own is not None
        assert own.runs == (other.name,)
        expected = fit_table(found.predictions.where(found.predictions.runs == other.name), OPTIONS)
        assert own.scales == pytest.approx(expected.calibration.scales, abs=1e-5)
        assert own.thresholds == pytest.approx(expected.thresholds, abs=1e-3), run.name
    assert kept[0] != kept[1]


def test_what_is_kept_names_its_data_and_holds_its_results(out: RunFolder, found: Calibrated) -> None:
    kept = read_calibration(out)
    assert kept is not None
    assert (kept.labels, kept.method, kept.data, kept.runs) == (LABELS, "platt", "tiny", ("a", "b"))
    assert kept.rule == "exact, a false alarm costs 1"
    assert [(report.data, report.sources) for report in kept.reports] == [("tiny", 5), ("again", 5)]
    windows = {(each.set, each.scope): each.scores.windows for each in kept.reports[0].results}
    assert windows["solos", "core"] == windows["solos", "all"] == 20
    assert windows["other sounds", "all"] == 4
    assert not any(name == "silence" for name, _ in windows)


def test_every_rule_and_method_is_compared(found: Calibrated) -> None:
    calibrations, rules, first, second, kept = tables(found)
    assert [row[:2] for row in calibrations.rows[:3]] == [("a", "none"), ("a", "temperature"), ("a", "platt")]
    assert len(calibrations.rows) == 6
    assert [row[:3] for row in rules.rows[::3]] == [
        ("f-measure", "core", ""),
        ("even", "core", "1"),
        ("even", "core", "2"),
        ("exact", "core", "1"),
        ("exact", "core", "2"),
    ]
    assert first.title == "a + b on tiny, calibrated: 5 sources"
    assert second.title == "a + b on again, calibrated: 5 sources"
    assert [row[0] for row in kept.rows] == ["scale", "bias", "threshold"]


@pytest.mark.usefixtures("found")
def test_calibrated_runs_are_decided_by_what_was_fitted_to_each(
    runs: list[RunFolder], out: RunFolder, corpus: Path, cache: Path, few: None, tmp_path: Path
) -> None:
    """The same windows: the results of `evaluate` by their own thresholds are those of `calibrate`."""
    kept = read_calibration(out)
    assert kept is not None
    words = ["evaluate", *(str(run.folder) for run in runs), "--data", str(corpus), "--out", str(tmp_path)]
    for fit in (False, True):
        whoplays.main([*words, "--cache", str(cache), *(["--fit-thresholds"] if fit else [])])
        (report,) = read_reports(tmp_path / "metrics.json")
        assert (report.calibrated, report.fitted) == (True, fit)
        evaluated = {(each.set, each.scope): each.scores for each in report.results}
        for each in kept.reports[0].results:
            ours = evaluated[each.set, each.scope]
            assert ours.labels_right == pytest.approx(each.scores.labels_right, abs=1e-3)
            assert ours.exact_match == pytest.approx(each.scores.exact_match, abs=1e-3)
            assert ours.mean_average_precision == pytest.approx(each.scores.mean_average_precision, abs=1e-3)


@pytest.mark.usefixtures("found")
def test_tuned_thresholds_are_of_what_the_network_gives(
    runs: list[RunFolder], clips: list[Clip], library: Library, few: None
) -> None:
    """So that no run's are fitted on what was calibrated by its own predictions."""
    calibrated = evaluate([model_of_runs(runs, HALF, read_calibrations(runs))], clips, library, "tiny")
    plain = evaluate([model_of_runs(runs, HALF)], clips, library, "tiny")
    for mine, theirs in zip(calibrated.results, plain.results, strict=True):
        assert mine.tuned is not None
        assert theirs.tuned is not None
        assert mine.tuned.label_accuracy == theirs.tuned.label_accuracy


@pytest.mark.usefixtures("found")
def test_a_run_is_not_evaluated_on_what_it_was_calibrated_on(
    out: RunFolder, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    kept = read_calibration(out)
    assert kept is not None
    assert set(kept.groups) == {clip.group for clip in clips}
    fresh = untrained(tmp_path / "fresh", [])
    keep_calibration(fresh, kept)
    with pytest.raises(DataError, match="was trained or calibrated on every one"):
        evaluate([model_of_runs([fresh], HALF, read_calibrations([fresh]))], clips, library, "tiny")


def kept_predictions(run: RunFolder, clips: list[Clip], library: Library) -> np.ndarray:
    """Of the solos, in the widest scope."""
    (found,) = infer(make_plan([model_of_runs([run], HALF)], clips, library), only=("solos",), keep=True)
    return found["all"][0]["solos"].probabilities


def test_a_network_predicts_each_window_once(
    clips: list[Clip], library: Library, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained(tmp_path / "run", [])
    before = kept_predictions(run, clips[:4], library)
    monkeypatch.setattr(predictors, "load", None)
    np.testing.assert_array_equal(kept_predictions(run, clips[:4], library), before)
    with pytest.raises(TypeError):
        kept_predictions(run, clips[1:4], library)


def test_kept_predictions_are_of_this_network_and_whole(
    clips: list[Clip], library: Library, few: None, tmp_path: Path
) -> None:
    """What is left of a damaged file is not taken; nor, once a run was trained on, what is kept of it as it was."""
    run = untrained(tmp_path / "run", [])
    before = kept_predictions(run, clips[:4], library)
    for kept in (run.folder / "predictions").iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(kept_predictions(run, clips[:4], library), before)
    lightning.seed_everything(5, verbose=False)
    torch.save({"state_dict": Tagger(recipes.find("band-mobilenet")).state_dict()}, run.last_checkpoint)
    assert not np.allclose(before, kept_predictions(run, clips[:4], library))


def test_one_run_alone_is_not_calibrated(runs: list[RunFolder], clips: list[Clip], library: Library, few: None) -> None:
    with pytest.raises(DataError, match="calibrations are fitted across runs"):
        calibrate(runs[:1], Recordings("tiny", clips), [], library, runs[0], OPTIONS)


def test_a_single_label_model_is_not_calibrated(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(configure(recipes.find("solo-rawcnn"), (), Splits([], [], [])))
    with pytest.raises(DataError, match="names its most probable label always"):
        calibrate([run, run], Recordings("tiny", clips), [], library, run, OPTIONS)


def complaint(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a command leaves with."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["calibrate", *words])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_nothing_is_evaluated_on_what_is_fitted_on(
    runs: list[RunFolder], corpus: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*(str(run.folder) for run in runs), "--out", str(runs[0].folder), "--cache", str(cache)]
    line = complaint([*words, "--data", str(corpus), "--judge", str(corpus)], capfd)
    assert "is in --data, and nothing is evaluated on what it fits" in line


def test_runs_of_one_name_are_not_taken_for_one(
    halves: tuple[list[Clip], list[Clip]], corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is fitted to each is known by its name."""
    both = [untrained(tmp_path / side / "mine", seen) for side, seen in zip("ab", halves, strict=True)]
    words = [*(str(run.folder) for run in both), "--out", str(both[0].folder), "--data", str(corpus)]
    assert complaint(words, capfd).endswith("several of these runs are called mine; rename all but one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rule", "even", "--false-alarm-cost", "-1"], "--false-alarm-cost must be between 0 and 1000, got -1"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        ([], "is not a run"),
    ],
)
def test_an_option_out_of_range_is_one_line(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert message in complaint([str(tmp_path), "--data", str(corpus), "--out", str(tmp_path), *options], capfd)
