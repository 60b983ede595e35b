"""The default with padding in time: what its network gives up so that it could be computed as audio arrives."""

import msgspec

from whoplays.training.recipes.band_melcnn import RECIPE as _BAND

RECIPE = msgspec.structs.replace(
    _BAND,
    name="padded-melcnn",
    description="The default's network with padding in time, to learn what going without costs.",
    network="padded-mel-cnn",
)
