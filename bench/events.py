"""How well and how soon onsets and offsets are detected in simulated concerts, and the hysteresis that does it best."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from whoplays.bench.conditions import current_conditions, load_average, model_info
from whoplays.bench.event_scores import DetectedEvent, EventScores, ReferenceEvent, score_events
from whoplays.bench.results import EventsResult, EventsRow
from whoplays.models.card import Hysteresis
from whoplays.models.errors import DataError, OptionError
from whoplays.models.events import DEFAULT_HYSTERESIS, EventDetector, EventTransition
from whoplays.models.labels import to_name
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS, measure
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import ModelInfo

HOPS_S: Final = (1, 3)
ENTRIES: Final = tuple(round(0.1 * step, 1) for step in range(10))
RELEASES: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
_COLUMNS: Final = ("path", "labels", "start_s", "end_s")
_BATCH: Final = 8
_PROVIDER: Final = "cpu"

Floats = npt.NDArray[np.float32]


class Concert(NamedTuple):
    """A recording, and which instruments play when."""

    path: Path
    references: tuple[ReferenceEvent, ...]

    def audio(self) -> Floats:
        """Its samples, `float32 [2, samples]` at 44.1 kHz.

        Raises:
            DataError: it is missing or damaged, at another rate, or not stereo.
        """
        try:
            samples, rate_hz = soundfile.read(self.path, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise DataError(f"{self.path} cannot be read: {error}") from error
        if (rate_hz, samples.shape[1]) != (SAMPLE_RATE_HZ, CHANNELS):
            raise DataError(f"{self.path} must be stereo at {SAMPLE_RATE_HZ} Hz")
        return np.ascontiguousarray(samples.T)


class ConcertPredictions(NamedTuple):
    """Who plays in a concert, and a model's probabilities of its windows, one every second."""

    references: tuple[ReferenceEvent, ...]
    probabilities: Floats
    """`float32 [windows, labels]`, 0 in silence."""


class ModelPredictions(NamedTuple):
    """A model, and its predictions for the concerts of a folder."""

    model: ModelInfo
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    concerts: list[ConcertPredictions]


def measure_events(folders: Sequence[Path], models: Sequence[str]) -> EventsResult:
    """Score all concerts, for each entry with the release that fits best, and with the hysteresis fitted to the others.

    Args:
        folders: concerts, two folders or more.
        models: for each folder the model that recognises its concerts.

    Raises:
        WhoplaysError: the numbers do not agree, a model or a concert cannot be used, or no onset was detected.
    """
    if len(folders) != len(models) or len(folders) < 2:
        raise OptionError("give --concerts and --model in pairs, two or more: a model for each folder")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise OptionError("--concerts must be different folders, so that none is scored by what was fitted to itself")
    load = load_average()
    concerts = [read_concerts(folder) for folder in folders]
    predictions = [_predict(model, group) for model, group in zip(models, concerts, strict=True)]
    fitted = [fit_hysteresis([other for other in predictions if other is not own]) for own in predictions]
    rows = [
        EventsRow(hysteresis=one, hop_s=hop_s, scores=_score(predictions, [one] * len(predictions), hop_s))
        for one in (fit_hysteresis(predictions, [entry]) for entry in ENTRIES)
        for hop_s in HOPS_S
    ]
    rows += [EventsRow(hysteresis=None, hop_s=hop_s, scores=_score(predictions, fitted, hop_s)) for hop_s in HOPS_S]
    if not any(row.scores.onset_f1 for row in rows):
        raise DataError(
            "no onset was detected with any entry and release, so that no hysteresis can be fitted; "
            "give models that recognise the instruments in these concerts"
        )
    first, *others = (each.model for each in predictions)
    options = (f" --concerts {folder} --model {model}" for folder, model in zip(folders, models, strict=True))
    return EventsResult(
        command=f"whoplays bench events{''.join(options)}",
        conditions=current_conditions(first, _PROVIDER, load, others),
        concerts=sum(map(len, concerts)),
        hysteresis=fit_hysteresis(predictions),
        rows=tuple(rows),
    )


def read_concerts(folder: Path) -> list[Concert]:
    """The concerts in a folder: recordings, and an `index.csv` with a row for each event.

    Raises:
        DataError: there is no such index, or a row is not valid.
    """
    path = folder / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    by_path: dict[str, list[ReferenceEvent]] = {}
    for row in rows:
        by_path.setdefault(row.get("path", ""), []).append(_reference(row, path))
    if not by_path:
        raise DataError(f"{path} lists no concerts; make some: whoplays simulate {folder} --data DIR")
    return [Concert(folder / name, tuple(references)) for name, references in sorted(by_path.items())]


def fit_hysteresis(predictions: Sequence[ModelPredictions], entries: Sequence[float] = ENTRIES) -> Hysteresis:
    """Of all releases and these entries those with the largest mean F1, of onsets alone and with offsets, at all hops.

    Of several that are as good, the one nearest to the default.
    """
    grid = [Hysteresis(entry=entry, release=release) for entry in entries for release in RELEASES]
    return max(grid, key=lambda one: (round(_mean_f1(predictions, one), 6), -_distance_from_default(one)))


def detect_events(
    predictions: ModelPredictions, concert: ConcertPredictions, hysteresis: Hysteresis, hop_s: int
) -> list[DetectedEvent]:
    """The events that a stream detects in a concert, with a window every `hop_s` seconds."""
    detector = EventDetector(predictions.labels, predictions.thresholds, hysteresis)
    begun: dict[int, tuple[float, float]] = {}
    detected: list[DetectedEvent] = []
    for start_s in range(0, len(concert.probabilities), hop_s):
        start = start_s * SAMPLE_RATE_HZ
        row = dict(zip(predictions.labels, concert.probabilities[start_s].tolist(), strict=True))
        for transition in detector.update(start, start + WINDOW_SAMPLES, row):
            if transition.phase == "start":
                begun[transition.id] = (start_s, start_s + WINDOW_SAMPLES / SAMPLE_RATE_HZ)
            else:
                detected.append(_ended(transition, *begun.pop(transition.id)))
    detected += [_ended(transition, *begun.pop(transition.id)) for transition in detector.finish()]
    return detected


def _ended(transition: EventTransition, start_s: float, shown_s: float) -> DetectedEvent:
    return DetectedEvent(transition.label, start_s, transition.at / SAMPLE_RATE_HZ, shown_s)


def _mean_f1(predictions: Sequence[ModelPredictions], hysteresis: Hysteresis) -> float:
    scores = [_score(predictions, [hysteresis] * len(predictions), hop_s) for hop_s in HOPS_S]
    return float(np.mean([(each.onset_f1 + each.onset_offset_f1) / 2 for each in scores]))


def _distance_from_default(one: Hysteresis) -> float:
    return abs(one.entry - DEFAULT_HYSTERESIS.entry) + abs(one.release - DEFAULT_HYSTERESIS.release)


def _score(predictions: Sequence[ModelPredictions], fitted: Iterable[Hysteresis], hop_s: int) -> EventScores:
    """Scores of all concerts, those of each model with a hysteresis of its own."""
    return score_events(
        [
            (concert.references, detect_events(each, concert, hysteresis, hop_s))
            for each, hysteresis in zip(predictions, fitted, strict=True)
            for concert in each.concerts
        ]
    )


def _predict(model: str, concerts: list[Concert]) -> ModelPredictions:
    recognizer = Recognizer.load(model, _PROVIDER)
    note(f"recognising {len(concerts)} concerts with {recognizer.card.name}")
    predictions = [ConcertPredictions(each.references, _probabilities(recognizer, each.audio())) for each in concerts]
    return ModelPredictions(model_info(recognizer.card), recognizer.labels, recognizer.thresholds, predictions)


def _probabilities(recognizer: Recognizer, audio: Floats) -> Floats:
    """Of a window every second, as a stream publishes them: 0 below the silence gate."""
    starts = range(0, audio.shape[1] - WINDOW_SAMPLES + 1, SAMPLE_RATE_HZ)
    probabilities = np.zeros((len(starts), len(recognizer.labels)), np.float32)
    for first in range(0, len(starts), _BATCH):
        windows = np.stack([audio[:, start : start + WINDOW_SAMPLES] for start in starts[first : first + _BATCH]])
        loud = np.array([measure(window).dbfs >= SILENCE_DBFS for window in windows])
        probabilities[first : first + _BATCH] = recognizer.recognize(windows) * loud[:, None]
    return probabilities


def _reference(row: dict[str, str], path: Path) -> ReferenceEvent:
    try:
        name, label, start_s, end_s = (row[column] for column in _COLUMNS)
        event = ReferenceEvent(to_name(label), float(start_s), float(end_s))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} needs the columns {', '.join(_COLUMNS)}, one label and two times in a row") from None
    if not event.start_s < event.end_s:
        raise DataError(f"{path}, {name}: {label} must end after it starts, got {start_s} to {end_s} s")
    return event
