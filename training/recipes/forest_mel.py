"""The seed's baseline with better ears: a random forest over log-mel statistics."""

from models.labels import CORE
from training.recipe import Recipe

RECIPE = Recipe(
    name="forest-mel",
    description="A random forest over statistics of log-mel bands names each of four instruments.",
    network="mel-forest",
    material="solos and pairs",
    task="multi-label",
    labels=CORE,
    epochs=1,
    epoch_windows=3072,
    learning_rate=0.0,
    trees=500,
)
