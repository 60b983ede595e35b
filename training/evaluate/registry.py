"""From what was typed to models: run folders, models by name or folder, and published taggers by file."""

from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from whoplays.models import catalogue
from whoplays.models.errors import DataError, ModelError, OptionError
from whoplays.models.labels import NAMES
from whoplays.training.data.clip import Clip
from whoplays.training.evaluate.predictors import Model, exported_model, model_of_runs
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.evaluate.store import fitted_on, latest_thresholds, read_calibrations, read_reports
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.run import RunFolder
from whoplays.training.taggers.efficientat import efficientat
from whoplays.training.taggers.yamnet import yamnet

JOINT: Final = "+"
"""Between the runs of one model where several models are named."""
_TAGGERS: Final = MappingProxyType({"yamnet": yamnet, EFFICIENTAT: efficientat})
_PROBABLE: Final = 0.5


class Peer(NamedTuple):
    """A published tagger, and the file that holds it."""

    name: str
    path: Path


class Entries(NamedTuple):
    """The models to evaluate, as typed."""

    names: tuple[str, ...]
    """Of the first: runs that make one model, or one exported model."""
    against: tuple[str, ...] = ()
    peers: tuple[Peer, ...] = ()


def find_peer(text: str) -> Peer:
    """A published tagger as typed, `NAME=PATH`.

    Raises:
        OptionError: there is no such tagger, or no such file.
    """
    name, _, path = text.partition("=")
    if name not in _TAGGERS or not path:
        raise OptionError(f"--peer must be NAME=PATH with a NAME of {', '.join(_TAGGERS)}, got {text}")
    if not Path(path).is_file():
        raise OptionError(f"--peer {text}: file {path} not found")
    return Peer(name, Path(path))


def runs_of(names: tuple[str, ...]) -> list[RunFolder]:
    """The run folders that are named; none where a model is.

    Raises:
        DataError: a name is neither, or there is more than one model.
    """
    folders = [RunFolder(Path(text)) for text in names]
    if all(folder.config_path.is_file() for folder in folders):
        return folders
    if len(names) > 1:
        other = next(folder for folder in folders if not folder.config_path.is_file())
        raise DataError(f"{other.folder} is not a run: of several, each must be one; name others with --against")
    try:
        catalogue.folder_of(names[0])
    except ModelError as error:
        raise DataError(f"{names[0]} is not a run: it holds no config.json; nor is it a model: {error}") from error
    return []


def find_models(
    entries: Entries, thresholds: Thresholds | None, data: str, clips: list[Clip], threads: int
) -> list[Model]:
    """All models to evaluate, in order.

    Args:
        thresholds: of the first, where it is a run that was not calibrated.
        data: what they are evaluated on; thresholds that a run keeps do not count where they were fitted on it.
        clips: its recordings.

    Raises:
        WhoplaysError: one of them cannot be used.
    """
    return [
        _model(entries.names, thresholds, data, clips, threads),
        *(_model(tuple(text.split(JOINT)), None, data, clips, threads) for text in entries.against),
        *(_tagger(peer, threads) for peer in entries.peers),
    ]


def _model(names: tuple[str, ...], thresholds: Thresholds | None, data: str, clips: list[Clip], threads: int) -> Model:
    runs = runs_of(names)
    if not runs:
        return exported_model(names[0], threads)
    if thresholds is None:
        kept = read_reports(runs[0].folder / "metrics.json")
        usable = [] if fitted_on(kept, data, clips) else kept
        thresholds = latest_thresholds(usable, runs[0].config().recipe)
    return model_of_runs(runs, thresholds, read_calibrations(runs))


def _tagger(peer: Peer, threads: int) -> Model:
    """A tagger with no thresholds but the 0.5 that a probability suggests."""
    predictor = _TAGGERS[peer.name](peer.path, threads)
    return Model(NAMES, "multi-label", (predictor,), np.full(len(NAMES), _PROBABLE))
