"""A model's folder: the graph and the card that says what it is, made from a run."""

import math
import shutil
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.export.graph import OPSET, Parity, calibrate, count_macs, prove, write_graph
from whoplays.models import catalogue
from whoplays.models.card import Corpus, Frames, Hysteresis, Measurement, ModelCard, graph_digest, write_card
from whoplays.models.errors import DataError
from whoplays.models.event_scores import EventSettings
from whoplays.training.base import WEIGHTS
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_share
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import solos
from whoplays.training.evaluate.results import (
    CalibratedReport,
    CalibratedSetResult,
    CalibrationRecord,
    Report,
    SetResult,
)
from whoplays.training.evaluate.store import (
    latest_thresholds,
    of_recipe,
    read_calibration,
    read_events,
    read_reports,
)
from whoplays.training.evaluate.testset import windows_of
from whoplays.training.fit.checkpoints import load, note_unfinished, training_length, write_weights
from whoplays.training.fit.tagger import Tagger
from whoplays.training.networks.frame_tagger import FIRST_SAMPLE, STEP_SAMPLES, FrameTagger
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.run import Config, RunFolder

_REAL_WINDOWS: Final = 12
_AUDIOSET: Final = Corpus(
    name=f"AudioSet (by {EFFICIENTAT})", licence="weights: MIT (github.com/fschmid56/EfficientAT)"
)
# What is worth keeping of each set: attribute of `Scores` and the name it goes by.
_KEPT: Final = {
    "solos": (("top1", "top-1"),),
    "pairs": (
        ("exact_match", "exact match"),
        ("labels_right", "labels right"),
        ("macro_f1", "macro F1"),
        ("mean_average_precision", "mAP"),
    ),
    "trios": (("exact_match", "exact match"), ("labels_right", "labels right"), ("mean_average_precision", "mAP")),
    "ensembles": (("exact_match", "exact match"), ("labels_right", "labels right"), ("mean_average_precision", "mAP")),
    "other sounds": (("false_alarm", "false alarm"),),
}

_UNCHANGED: Final = {"mAP"}
"""Figures of each label's ranking alone, which a calibration keeps."""


class _Decisions(NamedTuple):
    """How a network's outputs become labels and events."""

    fitted: CalibrationRecord | None
    reports: list[Report]
    """Of the run's recipe."""
    thresholds: tuple[float, ...]
    settings: EventSettings

    def frame_biases(self) -> list[float]:
        """What is added to the logits of steps, `[labels]`, or one for all."""
        frames = self.settings.frames
        if frames is None or frames.bias is None:
            return [0.0]
        return [frames.bias + math.log(each / (1 - each)) for each in self.thresholds]


def package(run: RunFolder, name: str, version: str, folder: Path, library: Library) -> tuple[ModelCard, Parity]:
    """Write `model.onnx`, `card.json` and the weights into `folder`, once all are made and proven.

    Raises:
        DataError: the run or its recordings cannot be read, or the folder cannot be written.
        ModelError: the graph does not compute what the network computes.
    """
    config = run.config()
    tagger = load(config.recipe, run.best_checkpoint())
    note_unfinished(run)
    decisions = _decisions(run, config, tagger)
    if decisions.fitted:
        calibrate(tagger, decisions.fitted.calibration)
    with tempfile.TemporaryDirectory() as scratch:
        graph = Path(scratch) / "model.onnx"
        write_graph(tagger, graph, decisions.frame_biases())
        parity = prove(tagger, graph, _real_windows(config, library))
        card = _card(run, config, tagger, decisions, name=name, version=version, graph=graph, parity=parity)
        write_card(card, Path(scratch))
        if not config.recipe.uses_cached_features:
            write_weights(tagger, Path(scratch) / WEIGHTS)
        _move(Path(scratch), folder)
    return card, parity


def _move(made: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(made.iterdir(), reverse=True):  # the card, which speaks of the graph, last
            shutil.move(file, folder / file.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}") from error


def _card(
    run: RunFolder,
    config: Config,
    tagger: Tagger,
    decisions: _Decisions,
    *,
    name: str,
    version: str,
    graph: Path,
    parity: Parity,
) -> ModelCard:
    recipe = config.recipe
    fitted, settings = decisions.fitted, decisions.settings
    return ModelCard(
        name=name,
        version=version,
        sha256=graph_digest(graph),
        task=recipe.task,
        labels=recipe.labels,
        thresholds=decisions.thresholds,
        hysteresis=settings.hysteresis,
        spectrogram="log-mel-128" if isinstance(tagger.network, FrameTagger) else None,
        frames=settings.frames,
        calibration=tuple(zip(fitted.scales, fitted.biases, strict=True)) if fitted else (),
        description=f"{recipe.description} Trained for {training_length(run)}.",
        parameters=sum(parameter.numel() for parameter in tagger.network.parameters()),
        macs=count_macs(tagger),
        opset=OPSET,
        parity_max_abs=parity.worst,
        corpora=_corpora(config),
        measurements=_measurements(run.name, decisions.reports, fitted, recipe.task == "single-label"),
    )


def _decisions(run: RunFolder, config: Config, tagger: Tagger) -> _Decisions:
    fitted = read_calibration(run)
    reports = of_recipe(read_reports(run.folder / "metrics.json"), config.recipe)
    thresholds = fitted.thresholds if fitted else tuple(latest_thresholds(reports, config.recipe).tolist())
    return _Decisions(fitted, reports, thresholds, _event_settings(run, config, tagger))


def _event_settings(run: RunFolder, config: Config, tagger: Tagger) -> EventSettings:
    """What `whoplays bench events` fitted, if the run's folder holds it; else those of the model that it began from."""
    measured = read_events(run.folder / "events.json")
    if measured:
        return measured.settings
    if config.recipe.keeps_labels and config.base in catalogue.names():
        card = catalogue.find(config.base)[1]
        return EventSettings(hysteresis=card.hysteresis, frames=card.frames)
    framed = isinstance(tagger.network, FrameTagger)
    frames = Frames(step_samples=STEP_SAMPLES, first_sample=FIRST_SAMPLE) if framed else None
    return EventSettings(hysteresis=Hysteresis(), frames=frames)


def _corpora(config: Config) -> tuple[Corpus, ...]:
    """What the run was trained on, or its checkpoint chosen by, with licences."""
    clips = [clip for clip in _clips(config) if clip.group in config.seen]
    all_of_them = config.recipe.examples == "band" or (config.base and config.base != EFFICIENTAT)
    used = clips if all_of_them else solos(clips, config.recipe.labels)
    own = sorted({(clip.source, clip.licence) for clip in used})
    found = [Corpus(name=source, licence=licence) for source, licence in own]
    before = (_AUDIOSET,) if config.base == EFFICIENTAT else config.base_corpora
    return (*found, *(corpus for corpus in before if corpus not in found))


def _clips(config: Config) -> list[Clip]:
    return [clip for text in config.data for clip in open_share(text).corpus.clips()]


def _measurements(
    run: str, reports: list[Report], fitted: CalibrationRecord | None, single_label: bool
) -> tuple[Measurement, ...]:
    """Every figure that was measured, those from the most sources first.

    The headline is of core solos for single-label models, of core pairs for others. Where a calibration was fitted, its
    figures count, and of the others only those that neither it nor its thresholds change.
    """
    headline = "solos" if single_label else "pairs"
    measured: list[Report | CalibratedReport] = [*(fitted.reports if fitted else ()), *reports]
    pairs = [(report, result) for report in measured for result in report.results]
    pairs.sort(key=lambda pair: (-pair[0].sources, pair[1].set != headline, pair[1].scope != "core"))
    found: dict[tuple[str, str], Measurement] = {}
    for report, result in pairs:
        still_true = not fitted or isinstance(report, CalibratedReport)
        for figure in _figures(run, report, result):
            if still_true or figure.metric in _UNCHANGED:
                found.setdefault((figure.metric, figure.data), figure)
    return tuple(found.values())


def _figures(run: str, report: Report | CalibratedReport, result: SetResult | CalibratedSetResult) -> list[Measurement]:
    scope = "four core labels" if result.scope == "core" else f"{len(result.scores.label_accuracy)} labels"
    by = "not heard in training" if report.runs == (run,) else "by runs of the same recipe that had not heard them"
    data = f"{result.set} of {report.data}, {scope}, {report.sources} sources, {by}"
    found = [(name, getattr(result.scores, attribute)) for attribute, name in _KEPT.get(result.set, ())]
    return [
        # Finer than anybody shows them, so that they are never rounded twice.
        Measurement(metric=name, value=round(value, 6), data=data, windows=result.scores.windows)
        for name, value in found
        if value is not None
    ]


def _real_windows(config: Config, library: Library) -> NDArray[np.float32]:
    """Windows of recordings from the run's corpora, spread evenly over them."""
    clips = _clips(config)
    spread = np.linspace(0, len(clips) - 1, min(len(clips), _REAL_WINDOWS)).round().astype(int)
    chosen = [clips[index] for index in spread]
    good, _ = library.readable(chosen)
    first = [window for clip in good for window in windows_of(library, clip)[:1]]
    if not first:
        raise DataError(f"no recording in {', '.join(config.data)} can be read; parity is proven on real windows")
    return np.stack([library.window(window.clip, window.start) for window in first])
