"""Results in a run's folder: `metrics.json`, `calibration.json` and `events.json`."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from whoplays.models.errors import DataError, OptionError
from whoplays.models.event_scores import EventReport
from whoplays.training.base import Base
from whoplays.training.data.clip import Clip
from whoplays.training.evaluate.results import CalibrationRecord, Report
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.files import write_json
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder

T = TypeVar("T")


def keep_report(report: Report, path: Path) -> None:
    """Put a report into `metrics.json`, in place of an earlier one on the same data."""
    reports = [kept for kept in read_reports(path) if kept.data != report.data]
    write_json(path, [*reports, report])


def read_reports(path: Path) -> list[Report]:
    """The reports in a `metrics.json`; none where there is no such file.

    Raises:
        DataError: the file holds anything else.
    """
    return _read(path, list[Report], "holds no reports ({}); delete it and evaluate again") or []


def of_recipe(reports: list[Report], recipe: Recipe) -> list[Report]:
    """Those of runs of this recipe: a run's folder may hold others."""
    return [report for report in reports if (report.recipe, report.labels) == (recipe.name, recipe.labels)]


def latest_thresholds(reports: list[Report], recipe: Recipe) -> Thresholds:
    """Those of the latest report on runs of this recipe, 0.5 without one; once fitted they stay until fitted again."""
    known = of_recipe(reports, recipe)
    return np.array(known[-1].thresholds if known else (0.5,) * len(recipe.labels))


def fitted_on(reports: list[Report], data: str, clips: Iterable[Clip]) -> bool:
    """Whether thresholds were fitted on this very data or some of these recordings, which then say nothing of it."""
    groups = {clip.group for clip in clips}
    return any(report.fitted and (report.data == data or groups & {*report.fitted_groups}) for report in reports)


def refuse_evaluated(run: RunFolder) -> None:
    """Refuse to train on a run of which results are kept: they would be of another network.

    Raises:
        OptionError: there are such.
    """
    path = run.folder / "metrics.json"
    if any(run.name in report.runs for report in read_reports(path)):
        raise OptionError(
            f"{run.folder} was evaluated as it is ({path}); delete that file to train on, or choose another --out"
        )


def read_calibration(run: RunFolder) -> CalibrationRecord | None:
    """The calibration that was fitted to a run, or None if none was.

    Raises:
        DataError: `calibration.json` holds anything else, or is for other labels.
    """
    path = run.folder / "calibration.json"
    found = _read(path, CalibrationRecord, "holds no calibration ({}); delete it and calibrate again")
    if found is None:
        return None
    recipe, labels = run.config().recipe, run.config().recipe.labels
    same = (found.recipe, found.labels) == (recipe.name, labels)
    whole = {len(found.scales), len(found.biases), len(found.thresholds)} == {len(labels)}
    if not same or not whole or not all(0 < scale < math.inf for scale in found.scales):
        raise DataError(f"{path} is not for the recipe or the labels of {run.folder}; delete it and calibrate again")
    return found


def read_calibrations(runs: list[RunFolder]) -> list[CalibrationRecord]:
    """The calibration of each of these runs; none where no run has one.

    Raises:
        DataError: some of them have one and others have not, or a `calibration.json` is damaged.
    """
    found = [(run, read_calibration(run)) for run in runs]
    without = [run.folder for run, one in found if one is None]
    if 0 < len(without) < len(runs):
        raise DataError(f"{without[0]} was not calibrated, others beside it were; calibrate all of them together")
    return [one for _, one in found if one is not None]


def inherit_calibration(run: RunFolder, base: Base) -> None:
    """Decide what a run gives as what it began from, where that says how: its outputs of the same labels are alike.

    What was fitted to the run itself stays. A label that the base did not know has no calibration, and 0.5.

    Raises:
        DataError: the folder cannot be written to.
    """
    known = _decisions(base)
    if not known or read_calibration(run):
        return
    recipe = run.config().recipe
    own = (known.get(label, (0.5, 1.0, 0.0)) for label in recipe.labels)
    thresholds, scales, biases = zip(*own, strict=True)
    record = CalibrationRecord(
        recipe=recipe.name,
        labels=recipe.labels,
        method="platt",
        rule=f"that of {base.name}",
        data="",
        runs=(),
        scales=scales,
        biases=biases,
        thresholds=thresholds,
        reports=(),
    )
    keep_calibration(run, record)


def _decisions(base: Base) -> dict[str, tuple[float, float, float]]:
    """Threshold, scale and bias of each label of a model or of a calibrated run; empty of anything else."""
    if base.card:
        calibration = base.card.calibration or [(1.0, 0.0)] * len(base.labels)
        each = ((threshold, *own) for threshold, own in zip(base.card.thresholds, calibration, strict=True))
        return dict(zip(base.labels, each, strict=True))
    fitted = None if base.is_tagger else read_calibration(RunFolder(Path(base.name)))
    if fitted is None:
        return {}
    fits = zip(fitted.thresholds, fitted.scales, fitted.biases, strict=True)
    return dict(zip(base.labels, fits, strict=True))


def keep_calibration(run: RunFolder, record: CalibrationRecord) -> None:
    """Write a run's `calibration.json`.

    Raises:
        DataError: the folder cannot be written to.
    """
    write_json(run.folder / "calibration.json", record)


def read_events(path: Path) -> EventReport | None:
    """The results in a run's `events.json`; None where there is no such file.

    Raises:
        DataError: the file holds anything else.
    """
    return _read(path, EventReport, "holds no results of events ({}); measure them again")


def _read(path: Path, kind: type[T], otherwise: str) -> T | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} {otherwise.format(error)}") from error
