"""What evaluation and calibration find, as JSON keeps it. What newer versions find besides, older files lack.

JSON keys are those of the first version, whatever the fields are called here.
"""

import msgspec
import numpy as np

from whoplays.training.evaluate.calibration import Calibration, Method, Reliability
from whoplays.training.evaluate.scores import Interval, Scores


class SetResult(msgspec.Struct, frozen=True, kw_only=True):
    """The results on one test set."""

    set: str
    scope: str
    """`core` (the four core labels) or `all` (every label of the model)."""
    scores: Scores
    """At the thresholds of the report."""
    top1_by_source: dict[str, float]
    confusion: dict[str, dict[str, int]]
    """How often each true set of labels was predicted as which set; for solos, as which single label."""
    top1_by_group: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    """Of the metrics of `scores`, by their names there."""
    tuned: Scores | None = None
    """At thresholds tuned for this scope, those of each fold on the other folds; None where there is one fold."""
    tuned_intervals: dict[str, Interval] = {}
    reliability: Reliability | None = None


class ConditionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The results on one test set under a condition, at the same thresholds as without it."""

    condition: str
    set: str
    scope: str
    scores: Scores
    tuned: Scores | None = None


class ExcerptResult(msgspec.Struct, frozen=True, kw_only=True):
    """IRMAS' test protocol: whole excerpts, each predicted by the mean of its windows' logits."""

    excerpts: int
    micro_f1: float
    macro_f1: float
    intervals: dict[str, Interval] = {}
    tuned_micro_f1: float | None = None
    tuned_macro_f1: float | None = None
    tuned_intervals: dict[str, Interval] = {}
    f1: dict[str, float] = {}
    """Of each label."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename={"metric": "figure"}):
    """By how much the first model is higher than another in one metric, on the same windows.

    Intervals are over resamples of the recordings' sources: what holds for these need not hold for the next source.
    """

    other: str
    set: str
    scope: str
    metric: str
    """Its name in `Scores`."""
    own: float
    """At own thresholds."""
    own_interval: Interval | None
    tuned: float | None = None
    """At tuned thresholds; None where there are none, or the metric needs none."""
    tuned_interval: Interval | None = None


class Report(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"results": "judgements", "folds": "shares", "under_conditions": "hearings"},
):
    """The results of an evaluation; kept in a run's `metrics.json` by the data it was made on."""

    data: str
    runs: tuple[str, ...]
    """The networks that were evaluated, by name."""
    recipe: str
    """What they are runs of; empty for a model or a tagger."""
    clips: int
    sources: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    """Per label, as used or as fitted; those of the latest report go on the card of a run without calibration."""
    fitted: bool
    """Whether the thresholds were fitted in this evaluation, each run's on the predictions of the others."""
    fitted_groups: tuple[str, ...] = ()
    """Of the recordings that they were fitted on, if they were: nothing of these is evaluated at them."""
    calibrated: bool = False
    """Whether `scores` are by the calibrations and thresholds that the runs keep, not at these thresholds."""
    results: tuple[SetResult, ...]
    groups: int = 0
    folds: int = 1
    """Into how many folds the recordings fall, each of what the same networks have not been trained on."""
    left_out: int = 0
    """Recordings that nothing was evaluated on, as some model was trained on them."""
    remarks: tuple[str, ...] = ()
    """Which test sets could not be built, or not as elsewhere, a sentence each."""
    command: str = ""
    """The command that makes this report."""
    under_conditions: tuple[ConditionResult, ...] = ()
    """If that was asked for."""
    excerpts: ExcerptResult | None = None
    against: tuple["Report", ...] = ()
    """The results of other models on the same windows."""
    differences: tuple[Difference, ...] = ()
    """To each of them, in the main metrics."""

    @property
    def name(self) -> str:
        """The model that was evaluated."""
        return " + ".join(self.runs)

    @property
    def models(self) -> list["Report"]:
        """This report and those of the other models on the same windows."""
        return [self, *self.against]


class CalibratedSetResult(msgspec.Struct, frozen=True, kw_only=True):
    """The results on one test set, calibrated."""

    set: str
    scope: str
    """`core` (the four core labels) or `all` (every label of the model)."""
    scores: Scores


class CalibratedReport(msgspec.Struct, frozen=True, kw_only=True, rename={"results": "judgements"}):
    """Results on some recordings, with calibration and thresholds that were fitted on none of them."""

    data: str
    runs: tuple[str, ...]
    sources: int
    labels: tuple[str, ...]
    results: tuple[CalibratedSetResult, ...]


class CalibrationRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"reports": "sittings"}):
    """A run's `calibration.json`: a calibration and thresholds that are exported with it, and how good both are."""

    recipe: str
    """Of the runs that it is for."""
    labels: tuple[str, ...]
    method: Method
    rule: str
    """What thresholds were fitted by."""
    data: str
    """What both were fitted on."""
    runs: tuple[str, ...]
    """On whose predictions they were fitted."""
    groups: tuple[str, ...] = ()
    """Of the recordings that these are of: nothing calibrated by it is evaluated on them."""
    scales: tuple[float, ...]
    biases: tuple[float, ...]
    thresholds: tuple[float, ...]
    """Of calibrated probabilities."""
    reports: tuple[CalibratedReport, ...]

    @property
    def calibration(self) -> Calibration:
        """Scales and biases as arrays."""
        return Calibration(np.array(self.scales), np.array(self.biases))
