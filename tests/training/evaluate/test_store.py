"""What is kept in a run's folder, and read again."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.training.evaluate.made_models import untrained
from whoplays.models.errors import DataError
from whoplays.models.labels import NAMES
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate.results import CalibrationRecord, Report
from whoplays.training.evaluate.store import (
    fitted_on,
    keep_calibration,
    keep_report,
    latest_thresholds,
    read_calibration,
    read_calibrations,
    read_events,
    read_reports,
)
from whoplays.training.run import RunFolder, configure

BAND = recipes.find("band-mobilenet")
RECORD = CalibrationRecord(
    recipe=BAND.name,
    labels=BAND.labels,
    method="platt",
    rule="even",
    data="tiny",
    runs=("a", "b"),
    scales=(1.0,) * len(NAMES),
    biases=(0.0,) * len(NAMES),
    thresholds=(0.5,) * len(NAMES),
    reports=(),
)


def report(data: str = "tiny", **changes: object) -> Report:
    known = Report(
        data=data,
        runs=("a",),
        recipe=BAND.name,
        clips=1,
        sources=1,
        labels=BAND.labels,
        thresholds=(0.5,) * len(NAMES),
        fitted=False,
        results=(),
    )
    return msgspec.structs.replace(known, **changes)


def test_a_report_takes_the_place_of_an_earlier_one_on_the_same_data(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    assert read_reports(path) == []
    for data, clips in (("a", 1), ("b", 2), ("a", 3)):
        keep_report(report(data, clips=clips), path)
    assert [(kept.data, kept.clips) for kept in read_reports(path)] == [("b", 2), ("a", 3)]
    assert read_reports(path)[0] == report("b", clips=2)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"metrics\.json holds no reports"):
        read_reports(path)


def test_json_keys_are_those_of_the_first_version(tmp_path: Path) -> None:
    """Files of that version are read, and it reads those of this one."""
    keep_report(report(), tmp_path / "metrics.json")
    keep_calibration(RunFolder(tmp_path), RECORD)
    assert json.loads((tmp_path / "metrics.json").read_bytes())[0].keys() >= {"judgements", "hearings", "shares"}
    assert "sittings" in json.loads((tmp_path / "calibration.json").read_bytes())


def test_the_latest_thresholds_count() -> None:
    first, last = (report(thresholds=(share,) * len(NAMES)) for share in (0.3, 0.4))
    other = report(thresholds=(0.1,) * len(NAMES), recipe="")
    assert latest_thresholds([first, last, other], BAND).tolist() == [0.4] * len(NAMES)
    assert latest_thresholds([first], recipes.find("duo-rawcnn")).tolist() == [0.5] * 4
    assert latest_thresholds([], BAND).tolist() == [0.5] * len(NAMES)


def test_thresholds_count_for_no_recording_that_they_were_fitted_on(clips: list[Clip]) -> None:
    """By whatever name: a run's test split is part of its --data."""
    kept = [report("test split", fitted=True, fitted_groups=(clips[0].group,))]
    assert fitted_on(kept, "test split", [])
    assert fitted_on(kept, "tiny", clips[:1])
    assert not fitted_on(kept, "tiny", clips[1:])
    assert not fitted_on([report("test split")], "test split", clips)


@pytest.mark.parametrize("content", ["{}", "no json", '{"labels": ["piano"]}'])
def test_a_damaged_calibration_is_refused(tmp_path: Path, content: str) -> None:
    run = RunFolder(tmp_path)
    assert read_calibration(run) is None
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(DataError, match=r"calibration\.json holds no calibration"):
        read_calibration(run)


def test_a_calibration_of_other_labels_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(configure(recipes.find("duo-rawcnn"), (), Splits([], [], [])))
    keep_calibration(run, RECORD)
    with pytest.raises(DataError, match="is not for the recipe or the labels of"):
        read_calibration(run)


def test_runs_of_which_some_are_calibrated_are_not_used_together(tmp_path: Path) -> None:
    calibrated, other = (untrained(tmp_path / name, []) for name in "ab")
    keep_calibration(calibrated, RECORD)
    assert read_calibrations([calibrated]) == [RECORD]
    with pytest.raises(DataError, match=f"{other.folder} was not calibrated, others beside it were"):
        read_calibrations([calibrated, other])


def test_a_damaged_file_of_events_is_refused(tmp_path: Path) -> None:
    assert read_events(tmp_path / "hysteresis.json") is None
    (tmp_path / "hysteresis.json").write_text("[]")
    with pytest.raises(DataError, match="holds no results of events"):
        read_events(tmp_path / "hysteresis.json")
