"""What evaluations find, as `metrics.json` keeps it. What newer versions find besides, older files lack."""

from typing import Final, NamedTuple

import msgspec

from whoplays.training.evaluate.reliability import Reliability
from whoplays.training.evaluate.scores import Scores

Interval = tuple[float, float]
"""Where a figure lies in 95 of 100 resamples of the recordings' groups."""


class Anchor(NamedTuple):
    """What others published on the same test parts."""

    who: str
    micro_f1: str
    macro_f1: str


ANCHORS: Final = (
    Anchor("Han et al. 2017", ".602", ".503"),
    Anchor("Zhong et al. 2023", ".674-.682", ""),
    Anchor("PaSST with mixing", ".688", ".617"),
)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How one set of an exam went."""

    set: str
    scope: str
    """`core` (the four core labels) or `all` (every label of the model)."""
    scores: Scores
    """By the thresholds of the report."""
    top1_by_source: dict[str, float]
    confusion: dict[str, dict[str, int]]
    """How often each true set of labels was heard as which set; for solos, as which single label."""
    top1_by_group: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    """Of the figures of `scores`, by their names there."""
    tuned: Scores | None = None
    """By thresholds tuned for this exam, those of each share on the answers to the others; None where there is one."""
    tuned_intervals: dict[str, Interval] = {}
    reliability: Reliability | None = None


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """How one set of an exam went under a condition, by the same thresholds as without it."""

    condition: str
    set: str
    scope: str
    scores: Scores
    tuned: Scores | None = None


class Excerpts(msgspec.Struct, frozen=True, kw_only=True):
    """IRMAS' test protocol: whole excerpts, each judged by the mean of its windows' logits."""

    excerpts: int
    micro_f1: float
    macro_f1: float
    intervals: dict[str, Interval] = {}
    tuned_micro_f1: float | None = None
    tuned_macro_f1: float | None = None
    tuned_intervals: dict[str, Interval] = {}
    f1: dict[str, float] = {}
    """Of each label."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the first is higher than another in one figure, of the same windows.

    Intervals are over resamples of the recordings' sources: what holds for these need not hold for the next source.
    """

    other: str
    set: str
    scope: str
    figure: str
    """Its name in `Scores`."""
    own: float
    """By own thresholds."""
    own_interval: Interval | None
    tuned: float | None = None
    """By tuned thresholds; None where there are none, or the figure needs none."""
    tuned_interval: Interval | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found; kept in a run's `metrics.json` by the data it was found on."""

    data: str
    runs: tuple[str, ...]
    """Who was judged, by name."""
    recipe: str
    """What they are runs of; nothing where a model or a peer was judged."""
    clips: int
    sources: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    """Per label, as judged by or as fitted; those of the latest report go on the card of a run without calibration."""
    fitted: bool
    """Whether the thresholds were fitted in this evaluation, each run's on the answers of the others."""
    fitted_groups: tuple[str, ...] = ()
    """Of the recordings that they were fitted on, if they were: these thresholds say nothing of them."""
    calibrated: bool = False
    """Whether `scores` are by the calibrations and thresholds that the runs keep, not by these thresholds."""
    judgements: tuple[Judgement, ...]
    groups: int = 0
    shares: int = 1
    """How many exams the recordings make, each of what the same runs have not heard."""
    left_out: int = 0
    """Recordings that nobody was asked about, as someone had heard them."""
    remarks: tuple[str, ...] = ()
    """What could not be asked, or not as elsewhere, a sentence each."""
    command: str = ""
    """What was typed to find this."""
    hearings: tuple[Hearing, ...] = ()
    """Under conditions, if that was asked for."""
    excerpts: Excerpts | None = None
    against: tuple["Report", ...] = ()
    """What others answered to the same questions."""
    differences: tuple[Difference, ...] = ()
    """To each of them, in the main figures."""

    @property
    def name(self) -> str:
        """Who was judged."""
        return " + ".join(self.runs)
