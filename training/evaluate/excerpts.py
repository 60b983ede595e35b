"""IRMAS' test protocol: whole excerpts, the logits of their windows averaged, micro and macro F1 over the excerpts.

Sources: Bosch, Janer, Fuhrmann, Herrera (ISMIR 2012) for the data; Han, Kim, Lee, "Deep Convolutional Neural Networks
for Predominant Instrument Recognition in Polyphonic Music" (IEEE/ACM TASLP 25(1), 2017) for the metrics.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whoplays.models.labels import IRMAS
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.irmas import IRMAS_TEST_PART
from whoplays.training.data.library import Library
from whoplays.training.evaluate.calibration import to_logits
from whoplays.training.evaluate.inference import Predictions, true_labels
from whoplays.training.evaluate.predictors import Model, Predictor
from whoplays.training.evaluate.results import ExcerptResult
from whoplays.training.evaluate.scores import Interval, Probabilities, Truths, f1_by_label, intervals
from whoplays.training.evaluate.scoring import Decisions, scores_of
from whoplays.training.evaluate.testset import ClipWindow, Example

LABELS: Final = tuple(IRMAS.values())
_HOP: Final = WINDOW_SAMPLES // 2


def is_excerpt(clip: Clip) -> bool:
    """Whether a clip is of IRMAS' test parts."""
    return clip.source.startswith(IRMAS_TEST_PART)


def predict_excerpts(
    networks: Sequence[tuple[Model, Predictor]], clips: list[Clip], library: Library
) -> list[Predictions]:
    """What each network predicts of every excerpt."""
    found: list[list[Probabilities]] = [[] for _ in networks]
    for clip in clips:
        windows = np.stack([library.window(clip, start) for start in _starts(library.audio(clip).shape[1])])
        for own, (_, predictor) in zip(found, networks, strict=True):
            own.append(_mean_logit(predictor.probabilities(windows)))
    examples = [Example((ClipWindow(clip, 0),), (0.0,)) for clip in clips]
    return [
        Predictions(examples, np.stack(own), true_labels(examples, model.labels))
        for own, (model, _) in zip(found, networks, strict=True)
    ]


def score_excerpts(decisions: Decisions) -> ExcerptResult:
    """The protocol's metrics; a label that no excerpt holds is in no mean."""
    own, tuned = scores_of(decisions, LABELS)
    (each,) = f1_by_label(np.ones((1, own.windows)), decisions.active, decisions.truths)
    return ExcerptResult(
        excerpts=own.windows,
        micro_f1=own.micro_f1 or 0.0,
        macro_f1=own.macro_f1 or 0.0,
        intervals=_f1_intervals(decisions, decisions.active),
        tuned_micro_f1=tuned.micro_f1 if tuned else None,
        tuned_macro_f1=tuned.macro_f1 if tuned else None,
        tuned_intervals={} if decisions.tuned is None else _f1_intervals(decisions, decisions.tuned),
        f1={label: float(f1) for label, f1 in zip(LABELS, each, strict=True) if np.isfinite(f1)},
    )


def _starts(samples: int) -> list[int]:
    """Where windows start: every 1.5 s, and the last one where it ends with the excerpt."""
    last = max(samples - WINDOW_SAMPLES, 0)
    return sorted({*range(0, last + 1, _HOP), last})


def _mean_logit(probabilities: Probabilities) -> NDArray[np.float32]:
    """The probability whose logit is the mean of those of the windows, `[labels]`."""
    return np.asarray(expit(to_logits(probabilities).mean(axis=0)), np.float32)


def _f1_intervals(decisions: Decisions, active: Truths) -> dict[str, Interval]:
    found = intervals(decisions.probabilities, active, decisions.truths, decisions.groups)
    return {name: span for name, span in found.items() if name in {"micro_f1", "macro_f1"}}
