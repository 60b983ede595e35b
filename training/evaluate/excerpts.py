"""IRMAS' test protocol: whole excerpts, the logits of their windows averaged, micro and macro F1 over the excerpts.

Sources: Bosch, Janer, Fuhrmann, Herrera (ISMIR 2012) for the data; Han, Kim, Lee, "Deep Convolutional Neural Networks
for Predominant Instrument Recognition in Polyphonic Music" (IEEE/ACM TASLP 25(1), 2017) for the figures that are told.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from whoplays.models.labels import NAMES
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.irmas import IRMAS_TEST_PART
from whoplays.training.data.library import Library
from whoplays.training.evaluate.bootstrap import intervals
from whoplays.training.evaluate.calibration import to_logits
from whoplays.training.evaluate.candidates import Candidate, Judge
from whoplays.training.evaluate.exam import Place, Question
from whoplays.training.evaluate.findings import Excerpts
from whoplays.training.evaluate.marking import Marked, figures
from whoplays.training.evaluate.scores import Probabilities, f1_by_label
from whoplays.training.evaluate.sitting import Answers, Paper

SET: Final = "excerpts"
LABELS: Final = tuple(NAMES)
_HOP: Final = WINDOW_SAMPLES // 2


def is_excerpt(clip: Clip) -> bool:
    """Whether a clip is of IRMAS' test parts."""
    return clip.source.startswith(IRMAS_TEST_PART)


def sit_excerpts(judges: Sequence[tuple[Candidate, Judge]], clips: list[Clip], library: Library) -> list[Paper]:
    """Put every excerpt to each of the judges, in their order."""
    given: list[list[NDArray[np.float32]]] = [[] for _ in judges]
    for clip in clips:
        windows = np.stack([library.window(clip, start) for start in _starts(library.audio(clip).shape[1])])
        for answers, (_, judge) in zip(given, judges, strict=True):
            answers.append(_mean_logit(judge.probabilities(windows)))
    questions = [Question((Place(clip, 0),), (0.0,)) for clip in clips]
    return [
        {SET: Answers(questions, np.stack(answers), _truths(clips, candidate))}
        for (candidate, _), answers in zip(judges, given, strict=True)
    ]


def told(marked: Marked) -> Excerpts:
    """The protocol's figures; a label that no excerpt holds is in no mean."""
    own, tuned = figures(marked, LABELS)
    micro, macro = own.micro_f1, own.macro_f1
    (each,) = f1_by_label(np.ones((1, own.windows)), marked.active, marked.truths)
    return Excerpts(
        excerpts=own.windows,
        micro_f1=micro or 0.0,
        macro_f1=macro or 0.0,
        intervals=_f1_only(marked, marked.active),
        tuned_micro_f1=tuned.micro_f1 if tuned else None,
        tuned_macro_f1=tuned.macro_f1 if tuned else None,
        tuned_intervals={} if marked.tuned is None else _f1_only(marked, marked.tuned),
        f1={label: float(f1) for label, f1 in zip(LABELS, each, strict=True) if np.isfinite(f1)},
    )


def _starts(samples: int) -> list[int]:
    """Where windows start: every 1.5 s, and the last one where it ends with the excerpt."""
    last = max(samples - WINDOW_SAMPLES, 0)
    return sorted({*range(0, last + 1, _HOP), last})


def _mean_logit(probabilities: Probabilities) -> NDArray[np.float32]:
    """The probability whose logit is the mean of those of the windows, `[labels]`."""
    return np.asarray(expit(to_logits(probabilities).mean(axis=0)), np.float32)


def _truths(clips: list[Clip], candidate: Candidate) -> NDArray[np.bool_]:
    return np.array([[label in clip.labels for label in candidate.labels] for clip in clips])


def _f1_only(marked: Marked, active: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    found = intervals(marked.probabilities, active, marked.truths, marked.groups)
    return {name: span for name, span in found.items() if name in {"micro_f1", "macro_f1"}}
