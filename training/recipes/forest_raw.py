"""The seed's baseline: a random forest over the raw waveform."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="forest-raw",
    description="A random forest over the waveform at 2,205 Hz names each of four instruments.",
    network="raw-forest",
    material="solos and pairs",
    task="multi-label",
    labels=CORE,
    epochs=1,
    epoch_windows=3072,
    learning_rate=0.0,
    trees=500,
)
