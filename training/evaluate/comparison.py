"""Before and after: what a network says of recordings that were held out, and what the one that it began from said."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.tables import Table
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.predictors import Model
from whoplays.training.evaluate.scores import Truths, interval, resample
from whoplays.training.evaluate.testset import Example, build_sets

_SEED: Final = 7
_BATCH: Final = 16


class Comparison(NamedTuple):
    """What plays in each window, and what either network says."""

    labels: tuple[str, ...]
    """Of the network after."""
    known: NDArray[np.bool_]
    """`bool [labels]`: which of them the network before knew."""
    examples: list[Example]
    truths: Truths
    before: Truths
    """A label that was not known is never named."""
    after: Truths

    @property
    def exact(self) -> tuple[float, float]:
        """The share of windows that each gets right as a whole: every label that plays, and no other."""
        return float(self._exact(self.before).mean()), float(self._exact(self.after).mean())

    @property
    def verdict(self) -> str:
        """Whether it got better, by how many windows are right, as a sentence."""
        before, after = self.exact
        groups = {group for example in self.examples for group in example.groups}
        counted = f"{before:.0%} of {len(self.examples)} windows exactly right before, {after:.0%} after"
        weights = resample([example.groups for example in self.examples])
        if weights is None:
            return f"not known whether better: {counted}, but of {len(groups)} groups of recordings; hold out 3 or more"
        gained = self._exact(self.after).astype(float) - self._exact(self.before)
        total = weights.sum(axis=1)
        low, high = interval((weights @ gained) / np.where(total, total, np.nan)) or (0.0, 0.0)
        word = "better" if low > 0 else "worse" if high < 0 else "not shown to be better or worse"
        return f"{word}: {counted} (difference {low:+.0%} to {high:+.0%}, {len(groups)} groups of recordings)"

    def table(self) -> Table:
        """How often each label is found where it plays, and named where it does not."""
        plays = self.truths.any(axis=0)
        rows = [self._row(self._name(k), self.truths[:, [k]], [k]) for k in np.flatnonzero(plays).tolist()]
        for title, others in (
            ("other labels that it knew", ~plays & self.known),
            ("other new labels", ~plays & ~self.known),
        ):
            columns = np.flatnonzero(others).tolist()
            if columns:
                rows.append(self._row(f"{len(columns)} {title}", self.truths[:, columns], columns))
        figures = ("windows", "found before", "found after", "wrongly named before", "wrongly named after")
        return Table("on recordings that were held out", ("label",), figures, tuple(rows))

    def _row(self, name: str, truths: Truths, columns: list[int]) -> tuple[str, ...]:
        plays = truths.any(axis=1)
        new = not self.known[columns].any()
        shares = [
            "" if new and said is self.before else _share(np.asarray(said[where][:, columns].any(axis=1)))
            for where in (plays, ~plays)
            for said in (self.before, self.after)
        ]
        return (name, str(int(plays.sum())), *shares)

    def _name(self, label: int) -> str:
        return self.labels[label] if self.known[label] else f"{self.labels[label]} (new)"

    def _exact(self, said: Truths) -> NDArray[np.bool_]:
        return np.asarray((said == self.truths).all(axis=1))


def compare(after: Model, before: Model, clips: list[Clip], library: Library) -> Comparison | None:
    """Ask both of the same windows, each by its own thresholds; None where there is no window to ask about.

    Args:
        clips: what neither was trained on.
    """
    sets = build_sets(library, clips, after.labels, _SEED)
    examples = [example for each in sets.values() for example in each]
    if not examples:
        return None
    truths = np.array([[label in example.labels for label in after.labels] for example in examples])
    columns = [before.labels.index(label) if label in before.labels else len(before.labels) for label in after.labels]
    said_after, said_before = (_active(model, examples, library) for model in (after, before))
    nothing = np.zeros((len(examples), 1), np.bool_)
    return Comparison(
        after.labels,
        np.array([label in before.labels for label in after.labels]),
        examples,
        truths,
        np.concatenate([said_before, nothing], axis=1)[:, columns],
        said_after,
    )


def _active(model: Model, examples: Sequence[Example], library: Library) -> Truths:
    (predictor,) = model.predictors
    batches = [
        predictor.probabilities(np.stack([example.audio(library) for example in examples[start : start + _BATCH]]))
        for start in range(0, len(examples), _BATCH)
    ]
    _, active = model.rule_of(predictor).apply(np.concatenate(batches))
    return active


def _share(said: NDArray[np.bool_]) -> str:
    return f"{said.mean():.0%}" if len(said) else ""
