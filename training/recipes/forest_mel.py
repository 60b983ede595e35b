"""The seed's baseline with better ears: a random forest over log-mel statistics."""

import msgspec

from whoplays.training.recipes.forest_raw import RECIPE as _RAW

RECIPE = msgspec.structs.replace(
    _RAW,
    name="forest-mel",
    description="A random forest over statistics of log-mel bands names each of four instruments.",
    network="mel-forest",
)
