"""Evaluation of runs that were never trained: what is judged, by whom, and what is kept of it."""

import json
import re
from pathlib import Path

import lightning
import msgspec
import numpy as np
import pytest
import torch

from whoplays.models.errors import DataError
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate import report
from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.examine import Wishes, examine
from whoplays.training.evaluate.findings import Report
from whoplays.training.evaluate.lineup import Entries
from whoplays.training.evaluate.of_run import of_runs
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.report import accuracy as page
from whoplays.training.report import plots as figures
from whoplays.training.report import tables as report_tables
from whoplays.training.run import RunFolder, configure

HALF = np.full(11, 0.5)


def one(*runs: RunFolder) -> Candidate:
    """Runs as one candidate, by thresholds of 0.5."""
    return of_runs(list(runs), HALF[: len(runs[0].config().recipe.labels)])


def untrained(folder: Path, heard: list[Clip], recipe: Recipe | None = None) -> RunFolder:
    """A run as if it had heard some clips, with a network that has learnt nothing."""
    recipe = recipe or recipes.find("band-melcnn")
    run = RunFolder(folder)
    run.write_config(configure(recipe, (), Splits(heard, [], [])))
    run.checkpoints.mkdir()
    lightning.seed_everything(1, verbose=False)
    torch.save({"state_dict": Tagger(recipe).state_dict()}, run.last_checkpoint)
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
    return [untrained(folder / name, heard) for name, heard in zip("ab", halves, strict=True)]


@pytest.fixture(scope="module")
def found(runs: list[RunFolder], clips: list[Clip], library: Library, few: None) -> Report:
    return evaluate([one(*runs)], clips, library, "tiny")


def test_a_run_judges_only_what_it_has_not_heard(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], clips: list[Clip], library: Library, few: None
) -> None:
    alone = evaluate([one(runs[0])], clips, library, "tiny")
    assert (alone.clips, alone.sources, alone.runs) == (len(halves[1]), 3, ("a",))
    solos = {judgement.set: judgement.scores.windows for judgement in alone.judgements if judgement.scope == "core"}
    assert solos["solos"] == len([clip for clip in halves[1] if clip.labels])


def test_several_runs_judge_everything_between_them(found: Report, clips: list[Clip]) -> None:
    assert (found.clips, found.sources, found.runs) == (len(clips), 5, ("a", "b"))
    windows = {(judgement.set, judgement.scope): judgement.scores.windows for judgement in found.judgements}
    assert windows["solos", "core"] == windows["solos", "all"] == 20
    assert windows["other sounds", "core"] == 4
    assert windows["silence", "core"] == 2 * 6
    assert {scope for _, scope in windows} == {"core", "all"}


def test_confusions_count_every_window(found: Report) -> None:
    for judgement in found.judgements:
        assert sum(sum(heard.values()) for heard in judgement.confusion.values()) == judgement.scores.windows
        assert set(judgement.top1_by_source) == (
            {f"player {k}" for k in range(5)} if judgement.set == "solos" else set()
        )


def test_what_was_heard_by_all_is_judged_by_none(runs: list[RunFolder], library: Library, clips: list[Clip]) -> None:
    heard = set(runs[0].config().train)
    with pytest.raises(DataError, match="every one of these recordings was heard in training"):
        evaluate([one(runs[0])], [clip for clip in clips if clip.group in heard], library, "tiny")


def test_what_was_validated_with_counts_as_heard(clips: list[Clip], library: Library, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", [])
    run.write_config(configure(recipes.find("band-melcnn"), (), Splits([], clips, [])))
    with pytest.raises(DataError, match="was heard in training"):
        evaluate([one(run)], clips, library, "tiny")


def test_thresholds_are_fitted_on_the_answers_of_others(
    runs: list[RunFolder], clips: list[Clip], library: Library, few: None
) -> None:
    fitted = evaluate([one(*runs)], clips, library, "tiny", fit=True)
    assert len(fitted.thresholds) == 11
    assert set(fitted.thresholds) != {0.5}
    assert fitted.fitted
    unfitted = evaluate([one(*runs)], clips, library, "tiny")
    assert [each.tuned for each in fitted.judgements] == [each.tuned for each in unfitted.judgements]
    assert [each.scores for each in fitted.judgements] != [each.scores for each in unfitted.judgements]


def test_thresholds_do_not_judge_what_they_were_fitted_on_under_another_name(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], library: Library, few: None, tmp_path: Path
) -> None:
    """A run's test split is part of its --data, and several folders together are named otherwise than each."""
    report.keep(evaluate([one(runs[0])], halves[1], library, "test split", fit=True), tmp_path / "metrics.json")
    heard, unheard = halves
    for name, judged in (("recordings", heard + unheard), ("recordings + notes", unheard[:1])):
        with pytest.raises(DataError, match=f"were fitted on {re.escape(name)}, or some of it; add --fit-thresholds"):
            examine(Entries((str(runs[0].folder),)), judged, library, name, tmp_path, Wishes(fit=False), threads=1)
    kept = report.read(tmp_path / "metrics.json")
    assert not report.fitted_on(kept, "notes", heard)


def test_thresholds_of_one_run_are_fitted_on_the_other_half_of_the_sources(
    runs: list[RunFolder], halves: tuple[list[Clip], list[Clip]], library: Library, few: None
) -> None:
    fitted = evaluate([one(runs[0])], halves[1], library, "tiny", fit=True)
    assert (fitted.shares, fitted.runs, fitted.clips) == (2, ("a",), len(halves[1]))
    assert set(fitted.thresholds) != {0.5}


def test_thresholds_are_not_fitted_to_a_single_group(
    runs: list[RunFolder], clips: list[Clip], library: Library
) -> None:
    unheard = [clip for clip in clips if clip.group not in runs[0].config().train][:1]
    with pytest.raises(DataError, match="these are a single group"):
        evaluate([one(runs[0])], unheard, library, "tiny", fit=True)


def test_runs_of_other_labels_are_not_judged_together(runs: list[RunFolder], tmp_path: Path) -> None:
    other = untrained(tmp_path / "run", [], msgspec.structs.replace(recipes.find("band-melcnn"), labels=("pia", "vio")))
    with pytest.raises(DataError, match="only runs of the same recipe"):
        one(runs[0], other)


def test_a_report_takes_the_place_of_an_earlier_one_on_the_same_data(found: Report, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    assert report.read(path) == []
    for data, clips in (("a", 1), ("b", 2), ("a", 3)):
        report.keep(msgspec.structs.replace(found, data=data, clips=clips), path)
    assert [(kept.data, kept.clips) for kept in report.read(path)] == [("b", 2), ("a", 3)]
    assert json.loads(path.read_bytes())[0]["judgements"][0]["set"] == "solos"
    assert report.read(path)[0] == msgspec.structs.replace(found, data="b", clips=2)


def test_the_latest_thresholds_count(found: Report) -> None:
    first, last = (msgspec.structs.replace(found, thresholds=(share,) * 11) for share in (0.3, 0.4))
    own = recipes.find("band-melcnn")
    strange = msgspec.structs.replace(found, thresholds=(0.1,) * 11, recipe="")
    assert report.thresholds([first, last, strange], own).tolist() == [0.4] * 11
    assert report.thresholds([first], recipes.find("duo-rawcnn")).tolist() == [0.5] * 4
    assert report.thresholds([], own).tolist() == [0.5] * 11


def test_a_report_is_shown_as_tables(found: Report) -> None:
    rows = len(found.judgements)
    assert len(report_tables.by_set(found).rows) == len(report_tables.by_label(found).rows) == rows
    assert len(report_tables.by_label(found).figures) == 11


def test_of_other_sounds_alone_nothing_is_told_of_solos(
    runs: list[RunFolder], clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    heard = set(runs[0].config().train)
    noise = next(clip for clip in clips if not clip.labels and clip.group not in heard)
    told = evaluate([one(runs[0])], [noise], library, "tiny")
    assert [grid.title for grid in report_tables.tables(told)] == [
        "a on tiny: 1 recording, 1 source",
        "label accuracy",
    ]
    page.write([told], tmp_path / "page.md")
    written = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "1 recording in 1 group from 1 source, " in written
    assert "Source by source" not in written


def test_confusions_are_drawn(found: Report, tmp_path: Path) -> None:
    paths = figures.draw_confusions(msgspec.structs.replace(found, data="a/b c"), tmp_path)
    assert [path.name for path in paths] == ["confusion-solos-a-b-c.png", "confusion-pairs-a-b-c.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_nothing_is_written_into_a_run_that_is_judged(
    runs: list[RunFolder],
    found: Report,
    clips: list[Clip],
    library: Library,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be somebody else's, or on a disk that cannot be written to."""
    monkeypatch.setattr("whoplays.training.evaluate.examine.evaluate", lambda *_, **__: found)
    log = runs[0].folder / "log" / "metrics.csv"
    log.parent.mkdir()
    log.write_text("epoch,step,train_loss\n0,1,0.5\n")
    before = sorted(runs[0].folder.rglob("*"))
    examine(Entries((str(runs[0].folder),)), clips, library, "tiny", tmp_path, Wishes(fit=False), threads=1)
    assert sorted(runs[0].folder.rglob("*")) == before
    assert (tmp_path / "metrics.json").is_file()


def test_nothing_logged_draws_nothing(tmp_path: Path) -> None:
    assert figures.draw_curves(RunFolder(tmp_path)) is None
