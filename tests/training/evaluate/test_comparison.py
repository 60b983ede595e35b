"""Before and after fine-tuning: what is counted, and that nothing is called better that is not shown to be."""

import numpy as np
import pytest

from tests.training.data.make_clips import clip
from whoplays.training.evaluate.comparison import Comparison
from whoplays.training.evaluate.testset import ClipWindow, Example

LABELS = ("piano", "violin", "theremin")
KNOWN = np.array([True, True, False])


def made(before: list[str], after: list[str], truths: list[str], groups: int = 4) -> Comparison:
    """Each window is the names that are said of it, parted by spaces; recordings are in turn of so many groups."""

    def rows(said: list[str]) -> np.ndarray:
        return np.array([[label in names.split() for label in LABELS] for names in said])

    examples = [Example((ClipWindow(clip(f"{k}", group=f"g{k % groups}"), 0),), (0.0,)) for k in range(len(truths))]
    return Comparison(LABELS, KNOWN, examples, rows(truths), rows(before), rows(after))


def test_found_is_of_windows_where_it_plays_and_wrongly_named_of_the_others() -> None:
    found = made(
        ["piano", "", "violin", "violin"], ["piano", "theremin", "theremin piano", ""], ["piano", "theremin"] * 2
    )
    assert list(found.table().rows) == [
        ("piano", "2", "50%", "100%", "0%", "0%"),
        ("theremin (new)", "2", "", "50%", "", "50%"),
        ("1 other labels that it knew", "0", "", "", "50%", "0%"),
    ]
    assert found.exact == (0.25, 0.5)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [("violin", "piano", "better: 0% of 16"), ("piano", "violin", "worse: 100% of 16"), ("", "", "not shown to be")],
)
def test_it_is_said_whether_it_is_better(before: str, after: str, word: str) -> None:
    assert made([before] * 16, [after] * 16, ["piano"] * 16).verdict.startswith(word)


def test_of_too_few_groups_it_is_not_known() -> None:
    assert made([""] * 4, ["piano"] * 4, ["piano"] * 4, groups=2).verdict.startswith(
        "not known whether better: 0% of 4"
    )
