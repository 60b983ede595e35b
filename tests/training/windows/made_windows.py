"""Prepared windows made of nothing recorded, for tests of what is done with them."""

import numpy as np

from whoplays.models.labels import CORE
from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.windows.shards import KINDS, PreparedWindows, Shard

QUIET = -18.0


def made_windows(names: list[str | None], *, kinds: list[str] | None = None) -> PreparedWindows:
    """One window for each name (None: another sound); each core label sounds in a quarter of the mel bands."""
    count = len(names)
    log_power = np.full((count, FRAMES, BANDS), QUIET, np.float16)
    targets = np.zeros((count, len(CORE)), np.bool_)
    for row, name in enumerate(names):
        if name is not None:
            k = CORE.index(name)
            log_power[row, :, 32 * k : 32 * k + 32] = 0
            targets[row, k] = True
    indices = np.array([KINDS.index(kind) for kind in kinds or ["solo"] * count], np.int8)
    return PreparedWindows(Shard(log_power, indices, targets, np.full((count, 4), -1, np.int32)), CORE)
