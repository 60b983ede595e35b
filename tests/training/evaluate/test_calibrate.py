"""Calibrating runs that were never trained: who is fitted on whose answers, and what is kept."""

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch

import whoplays
from whoplays.models.errors import DataError
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate import answers, calibrated, report
from whoplays.training.evaluate.calibrate import Material, calibrate
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.examine import Wishes, examine
from whoplays.training.evaluate.fitted import Ask, fit_all
from whoplays.training.evaluate.lineup import Entries
from whoplays.training.evaluate.of_run import of_runs
from whoplays.training.fit.tagger import Tagger
from whoplays.training.run import RunFolder, configure

ASK = Ask("platt", "exact", 1.0)
LABELS = recipes.find("band-melcnn").labels
_SPREAD = 1e4


def untrained(folder: Path, heard: list[Clip], seed: int = 1) -> RunFolder:
    """A run as if it had heard some clips, with a network that has learnt nothing.

    Such a one answers all windows nearly alike; its answers are spread, so that none are ties but for their last bits.
    """
    recipe = recipes.find("band-melcnn")
    run = RunFolder(folder)
    run.write_config(configure(recipe, (), Splits(heard, [], [])))
    run.checkpoints.mkdir(parents=True)
    lightning.seed_everything(seed, verbose=False)
    weights = Tagger(recipe).state_dict()
    weights["network.classifier.head.weight"] *= _SPREAD
    torch.save({"state_dict": weights}, run.last_checkpoint)
    return run


@pytest.fixture(scope="module")
def halves(clips: list[Clip]) -> tuple[list[Clip], list[Clip]]:
    """The clips of two players, and those of the others."""
    first = [clip for clip in clips if clip.source in {"player 0", "player 1"}]
    return first, [clip for clip in clips if clip not in first]


@pytest.fixture(scope="module")
def runs(halves: tuple[list[Clip], list[Clip]], tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two runs, each of which heard what the other did not."""
    folder = tmp_path_factory.mktemp("halves")
    return [untrained(folder / name, heard, seed) for seed, (name, heard) in enumerate(zip("ab", halves, strict=True))]


@pytest.fixture(scope="module")
def out(runs: list[RunFolder], clips: list[Clip], library: Library, few: None) -> RunFolder:
    """Where what was fitted on all answers is kept."""
    folder = untrained(runs[0].folder.parent / "out", clips)
    calibrate(runs, Material("tiny", clips), [Material("again", clips)], library, folder, ASK, threads=1)
    return folder


def test_each_run_gets_what_fits_the_answers_of_the_others(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], out: RunFolder, library: Library, few: None
) -> None:
    kept = [calibrated.read(run) for run in runs]
    for run, own, other, share in zip(runs, kept, reversed(runs), halves, strict=True):
        assert own is not None
        assert own.runs == (other.name,)
        # What one run has heard, the other answers for.
        core = ("gac", "pia", "tru", "vio")
        sheets = [answers.answer(other, share, labels, library) for labels in (core, LABELS)]
        wanted = fit_all(sheets, ASK)
        assert own.scales == pytest.approx(wanted.calibration.scales, abs=1e-5)
        assert own.thresholds == pytest.approx(wanted.thresholds, abs=1e-3), run.name
    assert kept[0] != kept[1]


def test_what_is_kept_names_its_data_and_how_it_was_judged(out: RunFolder) -> None:
    kept = calibrated.read(out)
    assert kept is not None
    assert (kept.labels, kept.method, kept.data, kept.runs) == (LABELS, "platt", "tiny", ("a", "b"))
    assert kept.rule == "exact, a false alarm costs 1"
    assert [(sitting.data, sitting.sources) for sitting in kept.sittings] == [("tiny", 5), ("again", 5)]
    windows = {(each.set, each.scope): each.scores.windows for each in kept.sittings[0].judgements}
    assert windows["solos", "core"] == windows["solos", "all"] == 20
    assert windows["other sounds", "all"] == 4


def test_calibrated_runs_are_judged_by_what_was_fitted_to_each(
    runs: list[RunFolder], out: RunFolder, clips: list[Clip], library: Library, few: None, tmp_path: Path
) -> None:
    """The same questions: what `evaluate` finds by their own thresholds is what `calibrate` found."""
    kept = calibrated.read(out)
    assert kept is not None
    paths = tuple(str(run.folder) for run in runs)
    for fit in (False, True):
        examine(Entries(paths), clips, library, "tiny", tmp_path, Wishes(fit), threads=1)
        (found,) = report.read(tmp_path / "metrics.json")
        assert (found.calibrated, found.fitted) == (True, fit)
        judged = {(each.set, each.scope): each.scores for each in found.judgements}
        for each in kept.sittings[0].judgements:
            ours = judged[each.set, each.scope]
            assert ours.labels_right == pytest.approx(each.scores.labels_right, abs=1e-3)
            assert ours.exact_match == pytest.approx(each.scores.exact_match, abs=1e-3)
            assert ours.mean_average_precision == pytest.approx(each.scores.mean_average_precision, abs=1e-3)


def test_tuned_thresholds_are_of_what_the_network_gives(
    runs: list[RunFolder], out: RunFolder, clips: list[Clip], library: Library, few: None
) -> None:
    """So that no run's are fitted on what was calibrated by its own answers."""
    half = np.full(len(LABELS), 0.5)
    with_it = evaluate([of_runs(runs, half, calibrated.read_all(runs))], clips, library, "tiny")
    without = evaluate([of_runs(runs, half)], clips, library, "tiny")
    for mine, theirs in zip(with_it.judgements, without.judgements, strict=True):
        assert mine.tuned is not None
        assert theirs.tuned is not None
        assert mine.tuned.label_accuracy == theirs.tuned.label_accuracy


def test_a_run_is_not_asked_about_what_it_was_calibrated_on(
    out: RunFolder, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    kept = calibrated.read(out)
    assert kept is not None
    assert set(kept.groups) == {clip.group for clip in clips}
    fresh = untrained(tmp_path, [])
    calibrated.keep(fresh, kept)
    candidate = of_runs([fresh], np.full(len(LABELS), 0.5), calibrated.read_all([fresh]))
    with pytest.raises(DataError, match="heard in training, or calibrated on"):
        evaluate([candidate], clips, library, "tiny")


def test_runs_of_which_some_are_calibrated_are_not_judged_together(out: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path} was not calibrated, others beside it were"):
        calibrated.read_all([out, untrained(tmp_path, [])])


def test_a_network_is_asked_each_question_once(
    runs: list[RunFolder],
    out: RunFolder,
    clips: list[Clip],
    library: Library,
    few: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "load", None)
    (first, share), _ = answers.held_out(runs, clips)
    assert len(answers.answer(first, share, LABELS, library).probabilities)
    with pytest.raises(TypeError):
        answers.answer(first, share[1:], LABELS, library)


def test_answers_are_those_of_this_network(clips: list[Clip], library: Library, few: None, tmp_path: Path) -> None:
    """A run that was trained on has other answers, whatever is kept of the earlier ones."""
    run = untrained(tmp_path, [])
    before = answers.answer(run, clips[:4], LABELS, library).probabilities
    lightning.seed_everything(5, verbose=False)
    torch.save({"state_dict": Tagger(recipes.find("band-melcnn")).state_dict()}, run.last_checkpoint)
    assert not np.allclose(before, answers.answer(run, clips[:4], LABELS, library).probabilities)


def test_answers_of_which_a_part_is_missing_are_asked_for_again(
    clips: list[Clip], library: Library, few: None, tmp_path: Path
) -> None:
    run = untrained(tmp_path, [])
    before = answers.answer(run, clips[:4], LABELS, library).probabilities
    (kept,) = (tmp_path / "answers").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    np.testing.assert_array_equal(answers.answer(run, clips[:4], LABELS, library).probabilities, before)


def test_one_run_alone_is_not_calibrated(runs: list[RunFolder], clips: list[Clip], library: Library, few: None) -> None:
    with pytest.raises(DataError, match="calibrations are fitted across runs"):
        calibrate(runs[:1], Material("tiny", clips), [], library, runs[0], ASK, threads=1)


def test_a_single_label_model_is_not_calibrated(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(configure(recipes.find("solo-rawcnn"), (), Splits([], [], [])))
    with pytest.raises(DataError, match="names its most probable label always"):
        calibrate([run, run], Material("tiny", clips), [], library, run, ASK, threads=1)


@pytest.mark.parametrize("content", ["{}", "no json", '{"labels": ["pia"]}'])
def test_a_damaged_calibration_is_refused(out: RunFolder, tmp_path: Path, content: str) -> None:
    run = RunFolder(tmp_path)
    run.write_config(out.config())
    assert calibrated.read(run) is None
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(DataError, match=r"calibration\.json holds no calibration"):
        calibrated.read(run)


def test_a_calibration_of_other_labels_is_refused(out: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(configure(recipes.find("duo-rawcnn"), (), Splits([], [], [])))
    (tmp_path / "calibration.json").write_bytes((out.folder / "calibration.json").read_bytes())
    with pytest.raises(DataError, match="is not for the recipe or the labels of"):
        calibrated.read(run)


def complaint(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line that a command leaves with."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["calibrate", *words])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    return line


def test_nothing_is_judged_by_what_is_fitted_on_it(
    runs: list[RunFolder], corpus: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [*(str(run.folder) for run in runs), "--out", str(runs[0].folder), "--cache", str(cache)]
    line = complaint([*words, "--data", str(corpus), "--judge", str(corpus)], capfd)
    assert "is in --data, and would be judged by what is fitted on it" in line


def test_runs_of_one_name_are_not_taken_for_one(
    halves: tuple[list[Clip], list[Clip]], corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is fitted to each is known by its name."""
    both = [untrained(tmp_path / side / "mine", heard) for side, heard in zip("ab", halves, strict=True)]
    words = [*(str(run.folder) for run in both), "--out", str(both[0].folder), "--data", str(corpus)]
    assert complaint(words, capfd).endswith("several of these runs are called mine; rename all but one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rule", "even", "--false-alarm-cost", "-1"], "--false-alarm-cost must be from 0 to 1000, not -1"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        ([], "is not a run"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert message in complaint([str(tmp_path), "--data", str(corpus), "--out", str(tmp_path), *options], capfd)
