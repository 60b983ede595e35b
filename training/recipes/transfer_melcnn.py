"""A better model to transfer from: what the default has learnt, kept as it is, and the seed's new head for pairs."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="transfer-melcnn",
    description="Dense layers on the frozen features of band-melcnn name each of four instruments.",
    network="mel-transfer",
    base="band-melcnn",
    material="pairs",
    task="multi-label",
    labels=CORE,
    epochs=200,
    epoch_windows=6144,
    batch_windows=64,
    learning_rate=1e-4,
)
