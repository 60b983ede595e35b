"""Figures of merit, all from probabilities `[windows, labels]` and truths of the same shape."""

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

Probabilities = NDArray[np.float32]
"""`float32 [windows, labels]` in [0, 1]."""
Truths = NDArray[np.bool_]
"""`bool [windows, labels]`."""
Thresholds = NDArray[np.float64]
"""`float64 [labels]`: at or above it a label is active."""


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How well one set of windows was judged; every figure is a share in [0, 1]."""

    windows: int
    top1: float | None
    """The most probable label is one that plays; None where no window has a label."""
    labels_right: float
    """Of all windows times labels."""
    label_accuracy: dict[str, float]
    """Share of windows in which this label was judged rightly."""
    exact_match: float
    """Windows with every label right."""
    macro_f1: float | None
    """Mean over the labels that occur; None where none does."""
    mean_average_precision: float | None
    """Mean over the labels that occur; None where none does."""
    false_alarm: float | None
    """Windows without any of the labels in which one was named; None where every window has one."""
    top_k_exact: float | None = None
    """Where k labels play, the k most probable are exactly those; None where no window has a label."""
    micro_f1: float | None = None
    """Over all labels of all windows; None where no label occurs."""


def score(probabilities: Probabilities, active: Truths, truths: Truths, labels: tuple[str, ...]) -> Scores:
    """Judge probabilities, and which labels were named, by the truth."""
    right = active == truths
    played, occurs = truths.any(axis=1), truths.any(axis=0)
    best = probabilities.argmax(axis=1)
    return Scores(
        windows=len(truths),
        top1=float(truths[played, best[played]].mean()) if played.any() else None,
        labels_right=float(right.mean()),
        label_accuracy=dict(zip(labels, map(float, right.mean(axis=0)), strict=True)),
        exact_match=float(right.all(axis=1).mean()),
        macro_f1=_mean(_f1(active[:, occurs], truths[:, occurs])),
        mean_average_precision=_mean(
            [average_precision_score(truths[:, k], probabilities[:, k]) for k in np.flatnonzero(occurs)]
        ),
        false_alarm=float(active[~played].any(axis=1).mean()) if not played.all() else None,
        top_k_exact=float(top_k_exact(probabilities, truths)[played].mean()) if played.any() else None,
        micro_f1=float(2 * (active & truths).sum() / (active.sum() + truths.sum())) if played.any() else None,
    )


def top_k_exact(probabilities: Probabilities, truths: Truths) -> NDArray[np.bool_]:
    """Whether the k most probable labels are exactly those that play, where k play: `bool [windows]`."""
    rank = (-probabilities).argsort(axis=1, kind="stable").argsort(axis=1)
    return np.asarray(((rank < truths.sum(axis=1, keepdims=True)) == truths).all(axis=1))


def single_label_active(probabilities: Probabilities) -> Truths:
    """What a single-label model names: its most probable label."""
    best = probabilities.argmax(axis=1)[:, None]
    return np.asarray(np.arange(probabilities.shape[1]) == best)


def _f1(active: Truths, truths: Truths) -> NDArray[np.float64]:
    """F1 of each label; each occurs in the truths."""
    hits = (active & truths).sum(axis=0)
    return np.asarray(2 * hits / (active.sum(axis=0) + truths.sum(axis=0)), np.float64)


def _mean(values: object) -> float | None:
    figures = np.asarray(values, dtype=np.float64)
    return float(figures.mean()) if figures.size else None
