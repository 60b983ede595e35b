"""Evaluation of made models, and of runs that were never trained: what is evaluated on what."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

import whoplays
from tests.training.data.tiny_corpus import write_index, write_sound
from tests.training.evaluate.made_models import Constant, constant, spectral, untrained
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training import recipes
from whoplays.training.cli.evaluate import _thresholds
from whoplays.training.data.clip import Clip
from whoplays.training.data.labelled_folder import LabelledFolder
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.predictors import Model, model_of_runs
from whoplays.training.evaluate.results import Report
from whoplays.training.evaluate.store import keep_report, read_reports
from whoplays.training.run import RunFolder, configure


def model(*runs: RunFolder) -> Model:
    """Runs as one model, with thresholds of 0.5."""
    return model_of_runs(list(runs), np.full(len(runs[0].config().recipe.labels), 0.5))


@pytest.fixture(scope="module")
def runs(halves: tuple[list[Clip], list[Clip]], tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two runs, each as if trained on what the other was not."""
    folder = tmp_path_factory.mktemp("halves")
    return [untrained(folder / name, seen) for name, seen in zip("ab", halves, strict=True)]


@pytest.fixture(scope="module")
def found(runs: list[RunFolder], clips: list[Clip], library: Library, few: None) -> Report:
    return evaluate([model(*runs)], clips, library, "tiny")


def test_a_run_predicts_only_what_it_was_not_trained_on(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], clips: list[Clip], library: Library, few: None
) -> None:
    alone = evaluate([model(runs[0])], clips, library, "tiny")
    assert (alone.clips, alone.sources, alone.runs) == (len(halves[1]), 3, ("a",))
    solos = {result.set: result.scores.windows for result in alone.results if result.scope == "core"}
    assert solos["solos"] == len([clip for clip in halves[1] if clip.labels])


def test_several_runs_predict_everything_between_them(found: Report, clips: list[Clip]) -> None:
    assert (found.clips, found.sources, found.runs) == (len(clips), 5, ("a", "b"))
    windows = {(result.set, result.scope): result.scores.windows for result in found.results}
    assert windows["solos", "core"] == windows["solos", "all"] == 20
    assert windows["other sounds", "core"] == 4
    assert windows["silence", "core"] == 2 * 6
    assert {scope for _, scope in windows} == {"core", "irmas", "all"}


def test_confusions_count_every_window(found: Report) -> None:
    for result in found.results:
        assert sum(sum(predicted.values()) for predicted in result.confusion.values()) == result.scores.windows
        assert set(result.top1_by_source) == ({f"player {k}" for k in range(5)} if result.set == "solos" else set())


def test_nothing_is_evaluated_on_what_all_were_trained_on(
    runs: list[RunFolder], library: Library, clips: list[Clip]
) -> None:
    seen = set(runs[0].config().train)
    with pytest.raises(DataError, match="was trained or calibrated on every one of these recordings"):
        evaluate([model(runs[0])], [clip for clip in clips if clip.group in seen], library, "tiny")


def test_what_was_validated_with_counts_as_trained_on(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", [])
    run.write_config(configure(recipes.find("band-mobilenet"), (), Splits([], clips, [])))
    with pytest.raises(DataError, match="was trained or calibrated on every one"):
        evaluate([model(run)], clips, library, "tiny")


def test_runs_of_other_labels_are_not_one_model(runs: list[RunFolder], tmp_path: Path) -> None:
    other = untrained(
        tmp_path / "run", [], msgspec.structs.replace(recipes.find("band-mobilenet"), labels=("piano", "violin"))
    )
    with pytest.raises(DataError, match="must be of the same recipe"):
        model(runs[0], other)


def test_thresholds_are_fitted_on_the_predictions_of_others(
    runs: list[RunFolder], found: Report, clips: list[Clip], library: Library, few: None
) -> None:
    fitted = evaluate([model(*runs)], clips, library, "tiny", fit=True)
    assert len(fitted.thresholds) == len(NAMES)
    assert set(fitted.thresholds) != {0.5}
    assert fitted.fitted
    assert [each.tuned for each in fitted.results] == [each.tuned for each in found.results]
    assert [each.scores for each in fitted.results] != [each.scores for each in found.results]


def test_thresholds_of_one_run_are_fitted_on_the_other_half_of_the_sources(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], library: Library, few: None, tmp_path: Path
) -> None:
    """They count for none of these recordings, whatever their data is called: folders together have another name."""
    seen, unseen = halves
    fitted = evaluate([model(runs[0])], unseen, library, "test split", fit=True)
    assert (fitted.folds, fitted.runs, fitted.clips) == (2, ("a",), len(unseen))
    assert set(fitted.thresholds) != {0.5}
    keep_report(fitted, tmp_path / "metrics.json")
    for name, clips in (("recordings", seen + unseen), ("recordings + notes", unseen[:1])):
        with pytest.raises(DataError, match=f"were fitted on {re.escape(name)}, or some of it; add --fit-thresholds"):
            _thresholds(runs[:1], tmp_path, name, clips, fit=False)
    kept = _thresholds(runs[:1], tmp_path, "notes", seen, fit=False)
    assert kept is not None
    assert tuple(kept) == fitted.thresholds


def test_thresholds_are_not_fitted_to_a_single_group(
    runs: list[RunFolder], clips: list[Clip], library: Library
) -> None:
    unseen = [clip for clip in clips if clip.group not in runs[0].config().train][:1]
    with pytest.raises(DataError, match="these are a single group"):
        evaluate([model(runs[0])], unseen, library, "tiny", fit=True)


def test_nothing_is_written_into_a_run_that_is_evaluated(
    runs: list[RunFolder], found: Report, corpus: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be somebody else's, or on a disk that cannot be written to."""
    monkeypatch.setattr("whoplays.training.evaluate.evaluate.evaluate", lambda *_, **__: found)
    log = runs[0].folder / "log" / "metrics.csv"
    log.parent.mkdir()
    log.write_text("epoch,step,train_loss\n0,1,0.5\n")
    before = sorted(runs[0].folder.rglob("*"))
    options = ["--data", str(corpus), "--out", str(tmp_path), "--cache", str(cache)]
    whoplays.main(["evaluate", str(runs[0].folder), *options])
    assert sorted(runs[0].folder.rglob("*")) == before
    assert (tmp_path / "metrics.json").is_file()


def test_all_are_given_the_same_windows(clips: list[Clip], library: Library, few: None) -> None:
    models = [constant("first", CORE), constant("second", CORE)]
    evaluate(models, clips, library, "tiny")
    first, second = (one.predictors[0] for one in models)
    assert isinstance(first, Constant)
    assert isinstance(second, Constant)
    for mine, theirs in zip(first.given, second.given, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_each_is_evaluated_on_the_labels_it_knows(two_models: Report) -> None:
    (second,) = two_models.against
    assert {result.scope for result in two_models.results} == {"core", "irmas", "all"}
    assert {result.scope for result in second.results} == {"core"}
    windows = [
        {each.set: each.scores.windows for each in one.results if each.scope == "core"} for one in two_models.models
    ]
    assert windows[0] == windows[1]
    assert set(windows[0]) == {"solos", "pairs", "trios", "other sounds", "silence"}


def test_a_model_of_other_labels_is_refused(clips: list[Clip], library: Library) -> None:
    with pytest.raises(DataError, match="flutist knows other labels than first: flu"):
        evaluate([constant("first"), constant("flutist", ("flute",))], clips, library, "tiny")


def test_own_thresholds_and_tuned_ones_are_kept_apart(clips: list[Clip], library: Library, few: None) -> None:
    """A tagger of many classes gives a hundredth to what it hears: none is active at 0.5, at tuned thresholds some."""
    found = evaluate([spectral("shy", level=0.01)], clips, library, "tiny", halve=True)
    pairs = next(each for each in found.results if each.set == "pairs")
    assert pairs.scores.micro_f1 == 0
    assert pairs.tuned is not None
    assert pairs.tuned.micro_f1 is not None
    assert pairs.tuned.micro_f1 > 0.3
    assert not found.fitted
    assert set(found.thresholds) == {0.5}


@pytest.fixture
def half_quiet(tmp_path: Path) -> list[Clip]:
    """Recordings of two sources, those of one too quiet to be evaluated on."""
    rng = np.random.default_rng(1)
    rows: list[tuple[str, ...]] = []
    for source, level in (("loud", 0.1), ("quiet", 0.0005)):
        for k, label in enumerate((*CORE, "")):
            write_sound(tmp_path / f"{source}{k}.wav", rng.normal(0, level, 4 * SAMPLE_RATE_HZ))
            rows.append((f"{source}{k}.wav", label, f"{source}{k}", source, "CC0-1.0"))
    return LabelledFolder(write_index(tmp_path, rows)).clips()


def test_where_one_fold_has_no_windows_nothing_is_tuned(half_quiet: list[Clip], library: Library, few: None) -> None:
    said: list[str] = []
    found = evaluate([constant("first", CORE)], half_quiet, library, "tiny", halve=True, say=said.append)
    assert found.folds == 2
    assert all(each.top1_by_source.keys() <= {"loud"} for each in found.results)
    assert not any(each.tuned for each in found.results)
    assert any("no thresholds are tuned" in line for line in said)
    with pytest.raises(DataError, match="only one holds any window"):
        evaluate([constant("first", CORE)], half_quiet, library, "tiny", fit=True)


def test_conditions_are_those_asked_for(two_models: Report) -> None:
    for one in two_models.models:
        assert {each.condition for each in one.under_conditions} == {"mono", "level -12 dB"}
        assert {each.set for each in one.under_conditions} == {"solos", "pairs", "other sounds"}
        assert {each.scope for each in one.under_conditions} == {"core"}


def test_intervals_hold_the_metrics(two_models: Report) -> None:
    for result in two_models.results:
        assert (result.set == "silence") == (not result.intervals)
        for name, (low, high) in result.intervals.items():
            assert low - 1e-4 <= getattr(result.scores, name) <= high + 1e-4 or name == "mean_average_precision"


def test_differences_are_in_the_main_metrics_on_what_both_have(two_models: Report) -> None:
    assert {each.scope for each in two_models.differences} == {"core"}
    assert [(each.set, each.metric) for each in two_models.differences] == [
        ("solos", "top1"),
        ("pairs", "labels_right"),
        ("pairs", "exact_match"),
        ("pairs", "mean_average_precision"),
        ("trios", "exact_match"),
        ("other sounds", "false_alarm"),
    ]
    for each in two_models.differences:
        mine, theirs = (
            next(result.scores for result in one.results if (result.set, result.scope) == (each.set, each.scope))
            for one in two_models.models
        )
        assert each.own == pytest.approx(getattr(mine, each.metric) - getattr(theirs, each.metric), abs=1e-4)
        assert (each.tuned is None) == (each.metric in {"top1", "mean_average_precision"})


def test_what_is_kept_is_read_again(two_models: Report, tmp_path: Path) -> None:
    keep_report(two_models, tmp_path / "metrics.json")
    (kept,) = read_reports(tmp_path / "metrics.json")
    assert kept == msgspec.convert(msgspec.to_builtins(two_models), Report)
    assert [one.name for one in kept.against] == ["second"]
