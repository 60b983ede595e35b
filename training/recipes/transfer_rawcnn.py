"""The seed's transfer: what stage 1 has learnt from solos, kept as it is, and a new head for pairs."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="transfer-rawcnn",
    description="The seed's transfer: dense layers on the frozen features of stage 1 name each of four instruments.",
    network="raw-transfer",
    base="solo-rawcnn",
    material="pairs",
    task="multi-label",
    labels=CORE,
    epochs=200,
    epoch_windows=1280,
    batch_windows=64,
    learning_rate=1e-4,
)
