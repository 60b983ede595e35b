"""The seed's wish for a recurrent network: stage 2 with a GRU over log-mel frames."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="duo-crnn",
    description="Convolutions and a GRU over log-mel frames name each of four instruments, trained on pairs.",
    network="mel-crnn",
    material="pairs",
    task="multi-label",
    labels=CORE,
    epochs=20,
    learning_rate=1e-3,
    patience_epochs=5,
)
