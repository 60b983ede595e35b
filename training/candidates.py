"""Who can be judged: runs, models of the catalogue or of a folder, and peers. All answer the same questions."""

from dataclasses import dataclass
from typing import Protocol

from models.card import Task
from training.clip import Clip
from training.mixing import Windows
from training.scores import Probabilities, Thresholds


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
    """Its own, `[labels]`."""

    @property
    def name(self) -> str:
        """What reports call it."""
        return " + ".join(judge.name for judge in self.judges)

    def judge_of(self, clip: Clip) -> Judge | None:
        """The first of its networks that has not heard a recording."""
        return next((judge for judge in self.judges if not judge.has_heard(clip)), None)
