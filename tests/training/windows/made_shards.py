"""Banks made of nothing recorded, for tests of what is done with them."""

import numpy as np

from whoplays.models.labels import CORE
from whoplays.training.networks.log_mel import FRAMES, MELS
from whoplays.training.windows.shards import KINDS, Bank, Shard

QUIET = -18.0


def made_bank(names: list[str | None], *, kinds: list[str] | None = None, classes: int = 0) -> Bank:
    """One window for each name (None: another sound); each core label sounds in a quarter of the mel bands."""
    count = len(names)
    log_power = np.full((count, FRAMES, MELS), QUIET, np.float16)
    targets = np.zeros((count, len(CORE)), np.bool_)
    for row, name in enumerate(names):
        if name is not None:
            k = CORE.index(name)
            log_power[row, :, 16 * k : 16 * k + 16] = 0
            targets[row, k] = True
    lessons = np.arange(count * classes, dtype=np.float16).reshape(count, classes)
    places = np.array([KINDS.index(kind) for kind in kinds or ["solo"] * count], np.int8)
    return Bank(Shard(log_power, places, targets, np.full((count, 4), -1, np.int32), lessons), CORE)
