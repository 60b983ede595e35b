"""Splits by group: no player, take or instrument is on both sides of a line. Made before any mixing or balancing."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip

TEST_SHARE: Final = 0.2
VALIDATION_SHARE: Final = 0.2


class Splits(NamedTuple):
    """Clips for training, validation and test; no group is in two of them."""

    train: list[Clip]
    validation: list[Clip]
    test: list[Clip]


def by_group(clips: list[Clip], seed: int) -> Splits:
    """60/20/20 of the groups, label by label.

    A label's largest group is always for training; one with two groups has none in validation, one with a single
    group is for training only.
    """
    place: dict[str, int] = {}
    for groups in _strata(clips):
        place.update(_deal(groups, seed))
    return Splits(*([clip for clip in clips if place[clip.group] == split] for split in range(3)))


def holding_out(clips: list[Clip], fold: int, folds: int) -> Splits:
    """Hold out the `fold`-th of `folds` folds of the sources as test; all else is for training.

    Sources are dealt largest first, each to the fold that gains most: the one with the fewest clips of its labels.
    Those that share a group are dealt as one.
    """
    filled: list[dict[str, int]] = [defaultdict(int) for _ in range(folds)]
    fold_of: dict[str, int] = {}
    for sources, members in sorted(_apart(clips).items(), key=lambda item: (-len(item[1]), item[0])):
        tags = [tag for clip in members for tag in (clip.labels or {""})]
        chosen = min(range(folds), key=lambda index: (sum(filled[index][tag] for tag in tags), index))
        fold_of |= dict.fromkeys(sources, chosen)
        for tag in tags:
            filled[chosen][tag] += 1
    held = [clip for clip in clips if fold_of[clip.source] == fold - 1]
    kept = [clip for clip in clips if fold_of[clip.source] != fold - 1]
    return Splits(kept, [], held)


def refuse_leak(seen: Iterable[str], splits: Splits, who: object) -> None:
    """See that a run which another is to build on was trained on nothing that the other holds out.

    Args:
        seen: the groups that it was trained or chosen on.
        who: what the message calls it.

    Raises:
        DataError: it was.
    """
    leaked = set(seen) - {clip.group for clip in (*splits.train, *splits.validation)}
    if leaked:
        raise DataError(
            f"{who} was trained on {min(leaked)} and {len(leaked) - 1} other groups that this run holds out, "
            "or does not know; train both on the same --data"
        )


def _strata(clips: list[Clip]) -> list[dict[str, list[Clip]]]:
    """Groups by the labels they hold, so that each split gets its share of every label."""
    strata: dict[tuple[str, ...], dict[str, list[Clip]]] = defaultdict(dict)
    for group, members in _grouped(clips, "group").items():
        labels = tuple(sorted({label for clip in members for label in clip.labels}))
        strata[labels][group] = members
    return [strata[labels] for labels in sorted(strata)]


def _apart(clips: list[Clip]) -> dict[tuple[str, ...], list[Clip]]:
    """Clips by their source, or by the sources that share a group with it, directly or through others."""
    bundle_of = {clip.source: {clip.source} for clip in clips}
    for members in _grouped(clips, "group").values():
        joined = set().union(*(bundle_of[clip.source] for clip in members))
        bundle_of |= dict.fromkeys(joined, joined)
    bundles: dict[tuple[str, ...], list[Clip]] = defaultdict(list)
    for clip in clips:
        bundles[tuple(sorted(bundle_of[clip.source]))].append(clip)
    return bundles


def _deal(groups: dict[str, list[Clip]], seed: int) -> dict[str, int]:
    largest, *others = sorted(groups, key=lambda group: (-len(groups[group]), group))
    shuffled = [others[index] for index in np.random.default_rng(seed).permutation(len(others))]
    tests = max(1, round(TEST_SHARE * len(groups)))
    validations = max(1, round(VALIDATION_SHARE * len(groups)))
    place = dict.fromkeys(shuffled[:tests], 2)
    place |= dict.fromkeys(shuffled[tests : tests + validations], 1)
    place |= dict.fromkeys([largest, *shuffled[tests + validations :]], 0)
    return place


def _grouped(clips: list[Clip], attribute: str) -> dict[str, list[Clip]]:
    grouped: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        grouped[getattr(clip, attribute)].append(clip)
    return grouped
