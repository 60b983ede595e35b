"""How well and how soon onsets and offsets are detected in simulated concerts, and the settings that do it best."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from whoplays.bench.conditions import current_conditions, load_average, model_info
from whoplays.bench.results import EventsResult
from whoplays.models.card import Frames, Hysteresis
from whoplays.models.errors import DataError, OptionError, SourceError, naming
from whoplays.models.event_scores import (
    COLLARS_S,
    DetectedEvent,
    EventScores,
    EventSettings,
    EventsRow,
    ReferenceEvent,
    score_events,
)
from whoplays.models.events import DEFAULT_HYSTERESIS, EventTransition, detector
from whoplays.models.labels import to_name
from whoplays.models.recordings.recording import open_recording
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS, measure
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import ModelInfo

HOPS_S: Final = (1, 3)
# What is tried: of models with frames fewer of each, for there is more to choose.
_ENTRIES: Final = tuple(round(0.1 * step, 1) for step in range(10))
_RELEASES: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
_FRAME_ENTRIES: Final = (0.0, 0.1, 0.2, 0.4)
_FRAME_RELEASES: Final = (0.1, 0.2, 0.4, 0.6)
_BIASES: Final = (0.0, 1.0, 1.5, 2.0, 2.5)
_ENTER_S: Final = (0.6, 1.0, 1.4)
_LEAVE_S: Final = (1.2, 1.8, 2.4)
_ROUNDS: Final = 2
_COLUMNS: Final = ("path", "labels", "start_s", "end_s")
_BATCH: Final = 8
_ONSET: Final = COLLARS_S.index(1.0)
_OFFSET: Final = COLLARS_S.index(1.5)
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
            with open_recording(self.path, str(self.path)) as recording:
                pieces = list(recording.read())
        except SourceError as error:
            raise DataError(str(error)) from error
        if any((each.rate_hz, each.frames.shape[1]) != (SAMPLE_RATE_HZ, CHANNELS) for each in pieces):
            raise DataError(f"{self.path} must be stereo at {SAMPLE_RATE_HZ} Hz")
        return np.ascontiguousarray(np.concatenate([each.frames for each in pieces]).T)


class ConcertPredictions(NamedTuple):
    """Who plays in a concert, and a model's probabilities of its windows, one every second."""

    references: tuple[ReferenceEvent, ...]
    probabilities: Floats
    """`float32 [windows, labels]`, 0 in silence."""
    frames: Floats | None = None
    """`float32 [windows, steps, labels]`, the same within each window."""


class ModelPredictions(NamedTuple):
    """A model, and its predictions for the concerts of a folder."""

    model: ModelInfo
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    frames: Frames | None
    concerts: list[ConcertPredictions]


def measure_events(folders: Sequence[Path], models: Sequence[str]) -> EventsResult:
    """Score all concerts: with the settings that fit all of them best, and with those fitted to the other folders.

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
    if len({each.frames for each in predictions}) > 1:
        raise OptionError("either all models give frames of the same steps or none does: events follow otherwise")
    crossed = [fit_settings([other for other in predictions if other is not own]) for own in predictions]
    best = fit_settings(predictions)
    rows = tuple(
        EventsRow(fitted_to_others=others, hop_s=hop_s, scores=_score(predictions, settings, hop_s))
        for others, settings in ((False, [best] * len(predictions)), (True, crossed))
        for hop_s in HOPS_S
    )
    if not any(sum(row.scores.onset_f1) for row in rows):
        raise DataError(
            "no onset was detected with any settings, so that none can be fitted; "
            "give models that recognise the instruments in these concerts"
        )
    first, *others = (each.model for each in predictions)
    options = (f" --concerts {folder} --model {model}" for folder, model in zip(folders, models, strict=True))
    return EventsResult(
        command=f"whoplays bench events{''.join(options)}",
        conditions=current_conditions(first, _PROVIDER, load, others),
        concerts=sum(map(len, concerts)),
        settings=best,
        rows=rows,
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


def fit_settings(predictions: Sequence[ModelPredictions]) -> EventSettings:
    """Those with the largest mean F1 of onsets within 1 s and offsets within 1.5 s, at all hops.

    Of several that are as good, the one nearest to the default. Of models with frames their bias, the hysteresis and
    the times are fitted in turn, with what was found of the others: all of all would take hours. A graph that has a
    bias already keeps it.
    """
    frames = predictions[0].frames
    best = EventSettings(hysteresis=DEFAULT_HYSTERESIS, frames=frames)
    if frames is None:
        return _best(predictions, [msgspec.structs.replace(best, hysteresis=each) for each in _hystereses(frames)])
    for _ in range(_ROUNDS):
        if predictions[0].frames and predictions[0].frames.bias is None:
            best = _best(predictions, [_with_frames(best, bias=bias) for bias in _BIASES])
        best = _best(predictions, [msgspec.structs.replace(best, hysteresis=each) for each in _hystereses(frames)])
        best = _best(predictions, [_with_frames(best, **times) for times in _times()])
    return best


def _best(predictions: Sequence[ModelPredictions], candidates: Iterable[EventSettings]) -> EventSettings:
    def worth(one: EventSettings) -> tuple[float, float]:
        return round(_mean_f1(predictions, one), 6), -_distance_from_default(one.hysteresis)

    return max(candidates, key=worth)


def _hystereses(frames: Frames | None) -> Iterator[Hysteresis]:
    entries, releases = (_FRAME_ENTRIES, _FRAME_RELEASES) if frames else (_ENTRIES, _RELEASES)
    for entry, release in product(entries, releases):
        yield Hysteresis(entry=entry, release=release)


def _times() -> Iterator[dict[str, int]]:
    for enter_s, leave_s in product(_ENTER_S, _LEAVE_S):
        yield {"enter_samples": round(enter_s * SAMPLE_RATE_HZ), "leave_samples": round(leave_s * SAMPLE_RATE_HZ)}


def _with_frames(settings: EventSettings, **changes: float) -> EventSettings:
    frames = msgspec.structs.replace(settings.frames, **changes) if settings.frames else None
    return msgspec.structs.replace(settings, frames=frames)


def detect_events(
    predictions: ModelPredictions, concert: ConcertPredictions, settings: EventSettings, hop_s: int
) -> list[DetectedEvent]:
    """The events that a stream detects in a concert, with a window every `hop_s` seconds."""
    found = detector(predictions.labels, predictions.thresholds, settings.hysteresis, settings.frames)
    steps = _biased(predictions, concert, settings)
    begun: dict[int, tuple[float, float]] = {}
    detected: list[DetectedEvent] = []
    known_s = 0.0

    def note(transition: EventTransition) -> None:
        at_s = transition.at / SAMPLE_RATE_HZ
        if transition.phase == "start":
            begun[transition.id] = at_s, known_s
        else:
            start_s, start_known_s = begun.pop(transition.id)
            detected.append(DetectedEvent(transition.label, start_s, at_s, start_known_s, known_s))

    for start_s in range(0, len(concert.probabilities), hop_s):
        start = start_s * SAMPLE_RATE_HZ
        known_s = (start + WINDOW_SAMPLES) / SAMPLE_RATE_HZ
        row = dict(zip(predictions.labels, concert.probabilities[start_s].tolist(), strict=True))
        frames = None if steps is None else steps[start_s]
        for transition in found.update(start, start + WINDOW_SAMPLES, row, frames):
            note(transition)
    for transition in found.finish():
        note(transition)
    return detected


def _biased(predictions: ModelPredictions, concert: ConcertPredictions, settings: EventSettings) -> Floats | None:
    """Probabilities of the steps as a graph with these settings gives them, `[windows, steps, labels]`."""
    own, wanted = predictions.frames, settings.frames
    if concert.frames is None or own is None or wanted is None or own.bias is not None or wanted.bias is None:
        return concert.frames
    odds = np.array([threshold / (1 - threshold) for threshold in predictions.thresholds]) * np.exp(wanted.bias)
    # The same as adding logarithms of odds to logits.
    return np.asarray(concert.frames * odds / (1 - concert.frames + concert.frames * odds), np.float32)


def _mean_f1(predictions: Sequence[ModelPredictions], settings: EventSettings) -> float:
    scores = [_score(predictions, [settings] * len(predictions), hop_s) for hop_s in HOPS_S]
    return float(np.mean([(each.onset_f1[_ONSET] + each.offset_f1[_OFFSET]) / 2 for each in scores]))


def _distance_from_default(one: Hysteresis) -> float:
    return abs(one.entry - DEFAULT_HYSTERESIS.entry) + abs(one.release - DEFAULT_HYSTERESIS.release)


def _score(predictions: Sequence[ModelPredictions], fitted: Iterable[EventSettings], hop_s: int) -> EventScores:
    """Scores of all concerts, those of each model with settings of its own."""
    return score_events(
        [
            (concert.references, detect_events(each, concert, settings, hop_s))
            for each, settings in zip(predictions, fitted, strict=True)
            for concert in each.concerts
        ]
    )


def _predict(model: str, concerts: list[Concert]) -> ModelPredictions:
    recognizer = Recognizer.load(model, _PROVIDER)
    note(f"recognising {len(concerts)} concerts with {recognizer.card.name}")
    predictions = [_recognize(recognizer, each) for each in concerts]
    card = recognizer.card
    return ModelPredictions(model_info(card), recognizer.labels, recognizer.thresholds, card.frames, predictions)


def _recognize(recognizer: Recognizer, concert: Concert) -> ConcertPredictions:
    """A window every second, as a stream publishes them: 0 below the silence gate."""
    audio = concert.audio()
    starts = range(0, audio.shape[1] - WINDOW_SAMPLES + 1, SAMPLE_RATE_HZ)
    probabilities: list[Floats] = []
    frames: list[Floats] = []
    for first in range(0, len(starts), _BATCH):
        windows = np.stack([audio[:, start : start + WINDOW_SAMPLES] for start in starts[first : first + _BATCH]])
        loud = np.array([measure(window).dbfs >= SILENCE_DBFS for window in windows])
        found = recognizer.infer(windows)
        probabilities.append(found.probabilities * loud[:, None])
        if found.frames is not None:
            frames.append(found.frames * loud[:, None, None])
    return ConcertPredictions(
        concert.references, np.concatenate(probabilities), np.concatenate(frames) if frames else None
    )


def _reference(row: dict[str, str], path: Path) -> ReferenceEvent:
    try:
        name, label, start_s, end_s = (row[column] for column in _COLUMNS)
        with naming(str(path)):
            event = ReferenceEvent(to_name(label), float(start_s), float(end_s))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} needs the columns {', '.join(_COLUMNS)}, one label and two times in a row") from None
    if not event.start_s < event.end_s:
        raise DataError(f"{path}, {name}: {label} must end after it starts, got {start_s} to {end_s} s")
    return event
