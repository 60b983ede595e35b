"""Who can be judged: runs, models of the catalogue or of a folder, and peers. All answer the same questions."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from whoplays.models.card import Task
from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.calibration import Calibration, apply
from whoplays.training.evaluate.scores import Probabilities, Thresholds


class Own(NamedTuple):
    """What a network's answers are judged by, as it ships: thresholds, and before them a calibration if it has one."""

    thresholds: Thresholds
    calibration: Calibration | None = None

    def told(self, probabilities: Probabilities) -> Probabilities:
        """What it says where the network gives these probabilities, `[n, labels]` both."""
        return probabilities if self.calibration is None else apply(self.calibration, probabilities)


class Judge(Protocol):
    """One network that answers."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def has_heard(self, clip: Clip) -> bool:
        """Whether it was trained or chosen on this recording, so that its answer would be worth nothing."""

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `float32 [n, labels]` of windows `float32 [n, 2, 132300]`.

        Raises:
            WhoplaysError: it cannot be loaded, or does not run.
        """


@dataclass(frozen=True)
class Candidate:
    """What a row of a report is about: one network, or several of one kind that answer for what they have not heard."""

    labels: tuple[str, ...]
    """Codes, in the order of its probabilities."""
    task: Task
    judges: tuple[Judge, ...]
    thresholds: Thresholds
    """Its own, `[labels]`, where none of its networks was calibrated."""
    calibrated: tuple[Own, ...] = ()
    """What was fitted to each of its networks; none where nothing was."""
    recipe: str = ""
    """What its networks are runs of; nothing where they are no runs."""

    @property
    def name(self) -> str:
        """What reports call it."""
        return " + ".join(judge.name for judge in self.judges)

    def own(self, judge: Judge) -> Own:
        """What one of its networks is judged by."""
        return dict(zip(self.judges, self.calibrated, strict=False)).get(judge, Own(self.thresholds))

    def judge_of(self, clip: Clip) -> Judge | None:
        """The first of its networks that has not heard a recording."""
        return next((judge for judge in self.judges if not judge.has_heard(clip)), None)
