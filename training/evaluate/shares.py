"""Who may be asked about what: recordings divided by which networks have not heard them."""

from typing import NamedTuple

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import holding_out
from whoplays.training.evaluate.candidates import Candidate, Judge


class Share(NamedTuple):
    """Recordings, and of each candidate the network that has not heard them."""

    judges: tuple[Judge, ...]
    clips: list[Clip]


def divide(candidates: list[Candidate], clips: list[Clip]) -> list[Share]:
    """Recordings by who answers for them; what any candidate has heard is left out, so that all are asked the same.

    Raises:
        DataError: nothing is left.
    """
    by_judges: dict[tuple[Judge, ...], list[Clip]] = {}
    for clip in clips:
        judges = [candidate.judge_of(clip) for candidate in candidates]
        answering = tuple(judge for judge in judges if judge is not None)
        if len(answering) == len(candidates):
            by_judges.setdefault(answering, []).append(clip)
    if not by_judges:
        raise DataError(
            "every one of these recordings was heard in training, or calibrated on, by one of those judged at least; "
            "give others, or runs that held them out"
        )
    order = {judge: place for place, judge in enumerate(judge for one in candidates for judge in one.judges)}
    return [
        Share(judges, by_judges[judges])
        for judges in sorted(by_judges, key=lambda judges: [order[judge] for judge in judges])
    ]


def halved(shares: list[Share]) -> list[Share]:
    """A lone share as two: halves of its sources, or of its groups where these cannot be halved; else as they are.

    So that thresholds can be fitted on one half for the other.
    """
    if len(shares) > 1:
        return shares
    (share,) = shares
    by_group = [msgspec.structs.replace(clip, source=clip.group) for clip in share.clips]
    for clips in (share.clips, by_group):
        first = {clip.path for clip in holding_out(clips, 1, 2).test}
        halves = [[clip for clip in share.clips if (clip.path in first) == side] for side in (True, False)]
        if all(halves):
            return [Share(share.judges, half) for half in halves]
    return shares
