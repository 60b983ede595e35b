"""Stage 2 of the seed: which two of four instruments play together."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="duo-rawcnn",
    description="The seed's stage 2: the same network names each of four instruments, trained on pairs.",
    network="raw-cnn",
    material="pairs",
    task="multi-label",
    labels=CORE,
    epochs=20,
    learning_rate=3e-4,
    patience_epochs=5,
)
