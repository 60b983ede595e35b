"""Differences: paired, and over sources drawn whole."""

import numpy as np
import pytest

from tests.training.data.make_clips import clip
from whoplays.training.evaluate.bootstrap import intervals
from whoplays.training.evaluate.differences import differences
from whoplays.training.evaluate.exam import Place, Question
from whoplays.training.evaluate.findings import Difference
from whoplays.training.evaluate.marking import Marked
from whoplays.training.evaluate.sitting import Asked

SOURCES, EACH = 8, 20


def marked(right: np.ndarray, *, tuned: bool = True) -> Marked:
    """Windows of two labels, of which the first plays; `right` where it was named, and nothing was where not."""
    questions: list[Asked] = [
        Question((Place(clip(f"{k}", ["pia"], group=f"g{k}", source=f"s{k // EACH}"), 0),), (0.0,))
        for k in range(len(right))
    ]
    truths = np.tile([True, False], (len(right), 1))
    active = np.stack([right, np.zeros(len(right), bool)], axis=1)
    probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9]).astype(np.float32)
    return Marked(questions, probabilities, truths, active, active if tuned else None)


def compared(mine: np.ndarray, theirs: np.ndarray, name: str = "trios", *, tuned: bool = True) -> Difference:
    first, second = ({("core", name): marked(each, tuned=tuned)} for each in (mine, theirs))
    (found,) = differences(first, second, "other")
    return found


def by_source(shares: list[float]) -> np.ndarray:
    return np.concatenate([np.arange(EACH) < round(EACH * share) for share in shares])


def test_what_is_hard_for_both_cancels_out() -> None:
    """Sources differ much, the two never: always better by a tenth, however little each source alone tells."""
    shares = [0.1, 0.9, 0.2, 0.8, 0.5, 0.3, 0.6, 0.7]
    found = compared(by_source([share + 0.1 for share in shares]), by_source(shares))
    assert (found.own, found.own_interval) == (0.1, (0.1, 0.1))
    assert (found.tuned, found.tuned_interval) == (0.1, (0.1, 0.1))
    assert (found.other, found.set, found.scope, found.figure) == ("other", "trios", "core", "exact_match")


def test_one_source_is_no_more_than_one_witness() -> None:
    """Better in one source of eight only: recordings alone would be sure of it, sources are not."""
    theirs = by_source([0.5] * SOURCES)
    mine = by_source([1.0] + [0.5] * (SOURCES - 1))
    found = compared(mine, theirs)
    assert found.own == pytest.approx(0.0625)
    assert found.own_interval is not None
    assert found.own_interval[0] == 0
    assert found.own_interval[1] > 0.12
    one = marked(mine)
    alone = intervals(one.probabilities, one.active, one.truths, one.groups)["exact_match"]
    assert alone[0] > 0.47


def test_nobody_differs_from_itself() -> None:
    right = by_source([0.5] * SOURCES)
    assert compared(right, right).own_interval == (0.0, 0.0)


def test_what_needs_no_thresholds_and_what_was_not_tuned_is_told_once() -> None:
    right = by_source([0.5] * SOURCES)
    assert compared(right, right, "solos").tuned is None
    assert compared(right, right, tuned=False).tuned is None


def test_from_two_sources_no_interval_is_told() -> None:
    found = compared(by_source([0.5, 0.9]), by_source([0.5, 0.5]))
    assert found.own == pytest.approx(0.2)
    assert found.own_interval is None


def test_other_sets_and_what_only_one_sat_are_not_compared() -> None:
    right = by_source([0.5] * SOURCES)
    one = marked(right)
    assert not list(differences({("core", "silence"): one}, {("core", "silence"): one}, "other"))
    assert not list(differences({("core", "trios"): one}, {("all", "trios"): one}, "other"))
