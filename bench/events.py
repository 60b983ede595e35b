"""Who enters and leaves in concerts, as it would be told live; and the hysteresis that tells it best."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from whoplays.bench.concerts import Concert, read_concerts
from whoplays.bench.conditions import identify, load_now, observe
from whoplays.bench.event_scores import EventScores, Played, Told, score_events
from whoplays.bench.results import EventsResult, EventsRow
from whoplays.models.card import Hysteresis
from whoplays.models.errors import DataError, OptionError
from whoplays.models.events import EventDetector, EventTransition
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS, measure
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.windower import WindowRef
from whoplays.stream.pubsub.messages import ModelInfo

HOPS_S: Final = (1, 3)
ENTRIES: Final = tuple(round(0.1 * step, 1) for step in range(10))
RELEASES: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))
_BATCH: Final = 8
_PROVIDER: Final = "cpu"

Floats = npt.NDArray[np.float32]


class Heard(NamedTuple):
    """One concert, and what a model made of its windows: one every second."""

    played: tuple[Played, ...]
    probabilities: Floats
    """`float32 [windows, labels]`, 0 in silence."""


class Audience(NamedTuple):
    """A model, and the concerts that it heard."""

    model: ModelInfo
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    heard: list[Heard]


def measure_events(folders: Sequence[Path], models: Sequence[str]) -> EventsResult:
    """Score all concerts, for every entry, the hysteresis that fits best; and what was fitted to other concerts.

    Args:
        folders: concerts, two folders or more.
        models: who hears which: one for each folder.

    Raises:
        WhoplaysError: the numbers do not agree, a model or a concert is of no use, or nobody was told of rightly.
    """
    if len(folders) != len(models) or len(folders) < 2:
        raise OptionError("give two folders of concerts or more, and with --model as many models, one to hear each")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise OptionError("the same concerts twice: what fits the others would be judged on itself; give other folders")
    load = load_now()
    concerts = [read_concerts(folder) for folder in folders]
    audiences = [_hear(model, held) for model, held in zip(models, concerts, strict=True)]
    fitted = [best([other for other in audiences if other is not own]) for own in audiences]
    rows = [
        EventsRow(hysteresis=one, hop_s=hop_s, scores=_scores(audiences, [one] * len(audiences), hop_s))
        for one in (best(audiences, [entry]) for entry in ENTRIES)
        for hop_s in HOPS_S
    ]
    rows += [EventsRow(hysteresis=None, hop_s=hop_s, scores=_scores(audiences, fitted, hop_s)) for hop_s in HOPS_S]
    if not any(row.scores.onset_f1 for row in rows):
        raise DataError(
            "nobody who enters was told of, at any entry and release, so that none is fitted; "
            "give models that hear who plays in these concerts"
        )
    first, *others = (audience.model for audience in audiences)
    return EventsResult(
        command=_command(folders, models),
        conditions=observe(first, _PROVIDER, load, others),
        concerts=sum(map(len, concerts)),
        hysteresis=best(audiences),
        rows=tuple(rows),
    )


def best(audiences: Sequence[Audience], entries: Sequence[float] = ENTRIES) -> Hysteresis:
    """Of all releases and these entries, that with the largest mean F1 over onset alone and with offset, and the hops.

    Of several that are as good, the one nearest to the default.
    """
    grid = [Hysteresis(entry=entry, release=release) for entry in entries for release in RELEASES]
    return max(grid, key=lambda one: (round(_worth(audiences, one), 6), -_unusual(one)))


def _unusual(one: Hysteresis) -> float:
    usual = Hysteresis()
    return abs(one.entry - usual.entry) + abs(one.release - usual.release)


def tell(audience: Audience, heard: Heard, hysteresis: Hysteresis, hop_s: int) -> list[Told]:
    """What the decider tells of one concert, each window judged when it is complete."""
    decider = EventDetector(audience.labels, audience.thresholds, hysteresis)
    begun: dict[int, tuple[float, float]] = {}
    told: list[Told] = []
    span = WindowRef(0, 0)
    for place in range(0, len(heard.probabilities), hop_s):
        span = WindowRef(place * SAMPLE_RATE_HZ, place * SAMPLE_RATE_HZ + WINDOW_SAMPLES)
        row = dict(zip(audience.labels, heard.probabilities[place].tolist(), strict=True))
        for change in decider.update(span.start, span.end, row):
            _note(change, span, begun, told)
    for change in decider.finish():
        _note(change, span, begun, told)
    return told


def _note(change: EventTransition, span: WindowRef, begun: dict[int, tuple[float, float]], told: list[Told]) -> None:
    if change.phase == "start":
        begun[change.id] = (change.at / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ)
        return
    start_s, known_s = begun.pop(change.id)
    told.append(Told(change.label, start_s, change.at / SAMPLE_RATE_HZ, known_s))


def _worth(audiences: Sequence[Audience], hysteresis: Hysteresis) -> float:
    scores = [_scores(audiences, [hysteresis] * len(audiences), hop_s) for hop_s in HOPS_S]
    return float(np.mean([(each.onset_f1 + each.onset_offset_f1) / 2 for each in scores]))


def _scores(audiences: Sequence[Audience], each: Sequence[Hysteresis], hop_s: int) -> EventScores:
    return score_events(
        [
            (heard.played, tell(audience, heard, hysteresis, hop_s))
            for audience, hysteresis in zip(audiences, each, strict=True)
            for heard in audience.heard
        ]
    )


def _hear(model: str, concerts: list[Concert]) -> Audience:
    recognizer = Recognizer.load(model, _PROVIDER)
    note(f"{recognizer.card.name} hears {len(concerts)} concerts")
    heard = [Heard(concert.played, _probabilities(recognizer, concert.audio())) for concert in concerts]
    return Audience(identify(recognizer.card), recognizer.labels, recognizer.thresholds, heard)


def _probabilities(recognizer: Recognizer, audio: Floats) -> Floats:
    """Of a window every second, as a stream would judge it: 0 below the silence gate."""
    starts = range(0, audio.shape[1] - WINDOW_SAMPLES + 1, SAMPLE_RATE_HZ)
    found = np.zeros((len(starts), len(recognizer.labels)), np.float32)
    for place in range(0, len(starts), _BATCH):
        windows = np.stack([audio[:, start : start + WINDOW_SAMPLES] for start in starts[place : place + _BATCH]])
        loud = np.array([measure(window).dbfs >= SILENCE_DBFS for window in windows])
        found[place : place + _BATCH] = recognizer.recognize(windows) * loud[:, None]
    return found


def _command(folders: Sequence[Path], models: Sequence[str]) -> str:
    heard = (f"--concerts {folder} --model {model}" for folder, model in zip(folders, models, strict=True))
    return f"whoplays bench events {' '.join(heard)}"
