"""What was fitted to a run's answers and is exported with it: a calibration, thresholds, and how good both are."""

import math
from pathlib import Path

import msgspec
import numpy as np

from whoplays.models.errors import DataError
from whoplays.training.evaluate.calibration import Calibration, Method
from whoplays.training.evaluate.scores import Scores
from whoplays.training.files import write_json
from whoplays.training.run import RunFolder


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """How one set of an exam went."""

    set: str
    scope: str
    """`core` (the four core labels) or `all` (every label of the model)."""
    scores: Scores


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """How an exam on some recordings went, with calibration and thresholds that no judged recording had a part in."""

    data: str
    runs: tuple[str, ...]
    sources: int
    labels: tuple[str, ...]
    judgements: tuple[Marked, ...]


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """A run's `calibration.json`."""

    recipe: str
    """Of the runs that it is for."""
    labels: tuple[str, ...]
    method: Method
    rule: str
    """What thresholds were fitted by."""
    data: str
    """What both were fitted on."""
    runs: tuple[str, ...]
    """Whose answers they were fitted on."""
    groups: tuple[str, ...] = ()
    """Of the recordings that these answers are about: what is judged by it is not asked about them."""
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    """Of calibrated probabilities."""
    sittings: tuple[Sitting, ...]

    @property
    def calibration(self) -> Calibration:
        """Scales and biases as arrays."""
        return Calibration(np.array(self.scales), np.array(self.biases))


def read(run: RunFolder) -> Calibrated | None:
    """What was fitted to a run, or None if nothing was.

    Raises:
        DataError: `calibration.json` holds anything else, or something for other labels.
    """
    path = _path(run)
    if not path.is_file():
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibrated)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no calibration ({error}); delete it and calibrate again") from error
    recipe, labels = run.config().recipe, run.config().recipe.labels
    same = (found.recipe, found.labels) == (recipe.name, labels)
    whole = {len(found.scales), len(found.biases), len(found.thresholds)} == {len(labels)}
    if not same or not whole or not all(0 < scale < math.inf for scale in found.scales):
        raise DataError(f"{path} is not for the recipe or the labels of {run.folder}; delete it and calibrate again")
    return found


def read_all(runs: list[RunFolder]) -> list[Calibrated]:
    """What was fitted to each of these runs; nothing where it was to none of them.

    Raises:
        DataError: it was to some of them only, or a `calibration.json` is damaged.
    """
    found = [(run, read(run)) for run in runs]
    without = [run.folder for run, one in found if one is None]
    if 0 < len(without) < len(runs):
        raise DataError(f"{without[0]} was not calibrated, others beside it were; calibrate all of them together")
    return [one for _, one in found if one is not None]


def keep(run: RunFolder, calibrated: Calibrated) -> None:
    """Write a run's `calibration.json`.

    Raises:
        DataError: the folder cannot be written to.
    """
    write_json(_path(run), calibrated)


def _path(run: RunFolder) -> Path:
    return run.folder / "calibration.json"
