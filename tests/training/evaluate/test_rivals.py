"""Several candidates in one evaluation: all answer the same questions, and the page tells of all."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.data.tiny_corpus import write_index, write_sound
from tests.training.evaluate.made_judges import Constant, constant, spectral
from whoplays.models.errors import DataError, OptionError
from whoplays.models.labels import CORE
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.cli.command_line import evaluate_command
from whoplays.training.data.clip import Clip
from whoplays.training.data.labelled_folder import LabelledFolder
from whoplays.training.data.library import Library
from whoplays.training.evaluate import report
from whoplays.training.evaluate.conditions import conditions
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.findings import Report
from whoplays.training.evaluate.lineup import find_peer, runs_of
from whoplays.training.report import accuracy as page
from whoplays.training.report import plots as figures
from whoplays.training.report import tables as report_tables
from whoplays.training.report.events import read_concerts


@pytest.fixture(scope="module")
def found(clips: list[Clip], library: Library, few: None) -> Report:
    """One that knows eleven labels against one that knows four, with two conditions."""
    two = [condition for condition in conditions() if condition.name in {"mono", "level -12 dB"}]
    everyone = [constant("first"), constant("second", CORE, share=0.7)]
    told = evaluate(everyone, clips, library, "tiny", halve=True, conditions=two)
    return msgspec.structs.replace(told, command="whoplays evaluate first --data tiny")


def test_all_are_given_the_same_windows(clips: list[Clip], library: Library, few: None) -> None:
    everyone = [constant("first", CORE), constant("second", CORE)]
    evaluate(everyone, clips, library, "tiny")
    first, second = (one.judges[0] for one in everyone)
    assert isinstance(first, Constant)
    assert isinstance(second, Constant)
    for mine, theirs in zip(first.given, second.given, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_each_is_judged_on_the_labels_it_knows(found: Report) -> None:
    (second,) = found.against
    assert {judgement.scope for judgement in found.judgements} == {"core", "all"}
    assert {judgement.scope for judgement in second.judgements} == {"core"}
    windows = [
        {each.set: each.scores.windows for each in one.judgements if each.scope == "core"} for one in (found, second)
    ]
    assert windows[0] == windows[1]
    assert set(windows[0]) == {"solos", "pairs", "trios", "other sounds", "silence"}


def test_own_thresholds_and_tuned_ones_are_told_apart(clips: list[Clip], library: Library, few: None) -> None:
    """A tagger of many classes gives a hundredth to what it hears: at 0.5 that names nothing, tuned it does."""
    told = evaluate([spectral("shy", level=0.01)], clips, library, "tiny", halve=True)
    pairs = next(each for each in told.judgements if each.set == "pairs")
    assert pairs.scores.micro_f1 == 0
    assert pairs.tuned is not None
    assert pairs.tuned.micro_f1 is not None
    assert pairs.tuned.micro_f1 > 0.3
    assert not told.fitted
    assert set(told.thresholds) == {0.5}


@pytest.fixture
def half_quiet(tmp_path: Path) -> list[Clip]:
    """Recordings of two sources, those of one too quiet to be asked about."""
    rng = np.random.default_rng(1)
    rows: list[tuple[str, ...]] = []
    for source, level in (("loud", 0.1), ("quiet", 0.0005)):
        for k, label in enumerate((*CORE, "")):
            write_sound(tmp_path / f"{source}{k}.wav", rng.normal(0, level, 4 * SAMPLE_RATE_HZ))
            rows.append((f"{source}{k}.wav", label, f"{source}{k}", source, "CC0-1.0"))
    return LabelledFolder(write_index(tmp_path, rows)).clips()


def test_where_one_share_has_nothing_to_ask_about_nothing_is_tuned(
    half_quiet: list[Clip], library: Library, few: None
) -> None:
    said: list[str] = []
    told = evaluate([constant("first", CORE)], half_quiet, library, "tiny", halve=True, say=said.append)
    assert told.shares == 2
    assert all(each.top1_by_source.keys() <= {"loud"} for each in told.judgements)
    assert not any(each.tuned for each in told.judgements)
    assert any("no thresholds are tuned" in line for line in said)
    with pytest.raises(DataError, match="only one holds anything to ask about"):
        evaluate([constant("first", CORE)], half_quiet, library, "tiny", fit=True)


def test_conditions_are_those_asked_for(found: Report) -> None:
    for one in (found, *found.against):
        assert {hearing.condition for hearing in one.hearings} == {"mono", "level -12 dB"}
        assert {hearing.set for hearing in one.hearings} == {"solos", "pairs", "other sounds"}
        assert {hearing.scope for hearing in one.hearings} == {"core"}
    assert len(report.robustness(found)) == 3 * 2
    assert len(report_tables.under_conditions(found).rows) == 3 * 2


def test_intervals_hold_the_figures(found: Report) -> None:
    for judgement in found.judgements:
        assert (judgement.set == "silence") == (not judgement.intervals)
        for name, (low, high) in judgement.intervals.items():
            assert low - 1e-4 <= getattr(judgement.scores, name) <= high + 1e-4 or name == "mean_average_precision"


def test_differences_are_told_of_the_main_figures_of_what_both_sat(found: Report) -> None:
    (second,) = found.against
    assert {each.scope for each in found.differences} == {"core"}
    assert [(each.set, each.figure) for each in found.differences] == [
        ("solos", "top1"),
        ("pairs", "labels_right"),
        ("pairs", "exact_match"),
        ("pairs", "mean_average_precision"),
        ("trios", "exact_match"),
        ("other sounds", "false_alarm"),
    ]
    for each in found.differences:
        mine, theirs = (
            next(one.scores for one in who.judgements if (one.set, one.scope) == (each.set, each.scope))
            for who in (found, second)
        )
        assert each.own == pytest.approx(getattr(mine, each.figure) - getattr(theirs, each.figure), abs=1e-4)
        assert (each.tuned is None) == (each.figure in {"top1", "mean_average_precision"})
    assert len(report_tables.differing(found).rows) == 6
    alarms = report.differences(found)[-1]
    assert alarms[:4] == ("other sounds: false alarm", "core", "second", "-1.000 [-1.00, -1.00]")


def test_rows_of_one_set_stand_together(found: Report) -> None:
    assert [one.name for one, _ in report.answered(found)][:4] == ["first", "second"] * 2
    assert len(report_tables.by_set(found).rows) == len(found.judgements) + len(found.against[0].judgements)


def test_what_is_kept_is_read_again(found: Report, tmp_path: Path) -> None:
    report.keep(found, tmp_path / "metrics.json")
    (kept,) = report.read(tmp_path / "metrics.json")
    assert kept == msgspec.convert(msgspec.to_builtins(found), Report)
    assert [one.name for one in kept.against] == ["second"]


def test_a_rival_of_other_labels_is_refused(clips: list[Clip], library: Library) -> None:
    with pytest.raises(DataError, match="flutist knows other labels than first: flu"):
        evaluate([constant("first"), constant("flutist", ("flu",))], clips, library, "tiny")


def test_the_page_tells_of_all_and_cannot_be_edited(found: Report, tmp_path: Path) -> None:
    path = tmp_path / "docs" / "accuracy.md"
    page.write([found], path)
    text = path.read_text(encoding="utf-8")
    page.check(text)
    for told in (found.command, "**first**", "second", "| pairs |", "level -12 dB", "player 3", "### Differences"):
        assert told in text
    drawn = sorted(one.name for one in (tmp_path / "docs" / "accuracy").iterdir())
    assert "reliability-tiny.png" in drawn
    assert "robustness-tiny.png" in drawn
    assert all(f"(accuracy/{name})" in text for name in drawn)
    for edited in (text.replace("second", "better"), text + "\nmore\n", "# By hand\n"):
        with pytest.raises(DataError, match="make it again"):
            page.check(edited)


@pytest.mark.parametrize("head", [{"models": ["a"]}, {"bench": "events", "command": "", "conditions": {}}])
def test_the_page_tells_of_who_enters_and_leaves_where_that_was_measured(
    head: dict[str, object], tmp_path: Path
) -> None:
    """Whether or not the file says what measured it."""
    scores = {"played": 4, "told": 5, "onset_f1": 0.667, "onset_offset_f1": 0.5, "delays_s": [1.0, 2.5, 4.0]}
    rows = [{"hysteresis": {"release": 0.8}, "hop_s": 1, "scores": scores | {"onset_f1": 0.123}}]
    rows += [{"hysteresis": None, "hop_s": 3, "scores": scores}]
    kept = tmp_path / "hysteresis.json"
    assert read_concerts(kept) is None
    kept.write_bytes(msgspec.json.encode(head | {"concerts": 7, "hysteresis": {}, "rows": rows}))
    page.write([], tmp_path / "accuracy.md", read_concerts(kept))
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "| 3 s | 4 | 5 | 3 | 0.667 | 0.500 | 2.5 s |" in text
    assert "0.123" not in text
    kept.write_text("[]")
    with pytest.raises(DataError, match="holds no figures of events"):
        read_concerts(kept)


def test_nothing_is_drawn_of_conditions_that_were_not_asked_for(found: Report, tmp_path: Path) -> None:
    assert figures.draw_robustness(msgspec.structs.replace(found, hearings=()), tmp_path) is None


@pytest.mark.parametrize("text", ["yamnet", "yamnet=", "vggish=a.tflite", "yamnet=missing.tflite"])
def test_a_peer_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=f"--peer {text}"):
        find_peer(text)


def test_what_is_judged_is_runs_or_one_model(tmp_path: Path) -> None:
    assert runs_of(("solo-rawcnn",)) == []
    with pytest.raises(DataError, match=r"nobody is not a run: .* no model 'nobody'"):
        runs_of(("nobody",))
    with pytest.raises(DataError, match="solo-rawcnn is not a run: of several, each must be one"):
        runs_of(("solo-rawcnn", "duo-rawcnn"))


def test_a_command_is_told_without_the_folders_of_this_machine() -> None:
    told = evaluate_command(
        ["runs/a", "/somewhere/runs/b"],
        [Path("../real")],
        ["runs/c+/somewhere/d"],
        ["yamnet=/somewhere/yamnet.tflite"],
        flags={"fit-thresholds": True, "robustness": False},
        paths={"out": Path("runs/a"), "report": None},
    )
    assert told == (
        "whoplays evaluate runs/a b --data real --against runs/c+d --peer yamnet=yamnet.tflite "
        "--fit-thresholds --out runs/a"
    )
