"""From what was typed to candidates: run folders, models by name or folder, and peers by file."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from whoplays.models import catalogue
from whoplays.models.errors import DataError, ModelError, OptionError
from whoplays.training.data.clip import Clip
from whoplays.training.evaluate import calibrated, report
from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.run import RunFolder
from whoplays.training.taggers.audioset import CLASSES, AudioSetTagger

JOINT: Final = "+"
"""Between the runs of one candidate where several candidates are named."""


class Peer(NamedTuple):
    """Another's tagger, and the file that holds it."""

    name: str
    path: Path


class Entries(NamedTuple):
    """Who is to be judged, as typed; the first are one candidate, all else are to answer the same questions."""

    judged: tuple[str, ...]
    against: tuple[str, ...] = ()
    peers: tuple[Peer, ...] = ()


def find_peer(text: str) -> Peer:
    """A peer as typed, `NAME=PATH`.

    Raises:
        OptionError: no such peer, or there is no such file.
    """
    name, _, path = text.partition("=")
    if name not in _PEERS or not path:
        raise OptionError(f"--peer {text}: give NAME=PATH; known are {', '.join(_PEERS)}")
    if not Path(path).is_file():
        raise OptionError(f"--peer {text}: there is no file {path}")
    return Peer(name, Path(path))


def runs_of(judged: tuple[str, ...]) -> list[RunFolder]:
    """The run folders among what is judged; none where it is a model.

    Raises:
        DataError: a name is neither, or there is more than one model.
    """
    folders = [RunFolder(Path(text)) for text in judged]
    if all(folder.config_path.is_file() for folder in folders):
        return folders
    if len(judged) == 1:
        _refuse_nobody(judged[0])
        return []
    stranger = next(folder for folder in folders if not folder.config_path.is_file())
    raise DataError(f"{stranger.folder} is not a run: of several, each must be one; name others with --against")


def line_up(
    entries: Entries, thresholds: Thresholds | None, data: str, clips: list[Clip], threads: int
) -> list[Candidate]:
    """Everybody who is to be judged.

    Args:
        thresholds: of the first, where it is a run that was not calibrated.
        data: what they are judged on; thresholds that a run keeps do not count where they were fitted on it.
        clips: its recordings.

    Raises:
        WhoplaysError: one of them cannot be used.
    """
    return [
        _candidate(entries.judged, thresholds, data, clips, threads),
        *(_candidate(tuple(text.split(JOINT)), None, data, clips, threads) for text in entries.against),
        *(_PEERS[peer.name](peer.path, threads) for peer in entries.peers),
    ]


def _candidate(
    names: tuple[str, ...], thresholds: Thresholds | None, data: str, clips: list[Clip], threads: int
) -> Candidate:
    runs = runs_of(names)
    if not runs:
        from whoplays.training.evaluate.of_model import of_model  # noqa: PLC0415  onnxruntime is not needed to judge runs

        return of_model(names[0], threads)
    from whoplays.training.evaluate.of_run import of_runs  # noqa: PLC0415  torch is not needed to judge models

    if thresholds is None:
        kept = report.read(runs[0].folder / "metrics.json")
        honest = [] if report.fitted_on(kept, data, clips) else kept
        thresholds = report.thresholds(honest, runs[0].config().recipe)
    return of_runs(runs, thresholds, calibrated.read_all(runs))


def _refuse_nobody(name: str) -> None:
    try:
        catalogue.folder_of(name)
    except ModelError as error:
        raise DataError(f"{name} is not a run: it holds no config.json; nor is it a model: {error}") from error


def _yamnet(path: Path, threads: int) -> Candidate:
    from whoplays.training.taggers.yamnet import yamnet  # noqa: PLC0415  an extra that few will have

    return _peer(yamnet(path, threads))


def _efficientat(path: Path, _threads: int) -> Candidate:
    from whoplays.training.taggers.efficientat import efficientat  # noqa: PLC0415  torch is not needed to judge models

    return _peer(efficientat(path))


def _peer(tagger: AudioSetTagger) -> Candidate:
    """A tagger as a candidate; it has no thresholds but the 0.5 that a probability suggests."""
    return Candidate(tuple(CLASSES), "multi-label", (tagger,), np.full(len(CLASSES), 0.5))


_PEERS: Final = MappingProxyType[str, Callable[[Path, int], Candidate]]({"yamnet": _yamnet, EFFICIENTAT: _efficientat})
