"""The default: which of eleven instruments play, among whatever else is heard."""

from whoplays.models.labels import NAMES
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="band-melcnn",
    description="A small convolutional network over log-mel frames names each of eleven instruments.",
    network="deep-mel-cnn",
    material="band",
    task="multi-label",
    labels=tuple(NAMES),
    epochs=24,
    epoch_windows=8192,
    batch_windows=64,
    learning_rate=2e-3,
    one_cycle=True,
    bank_windows=24_000,
    taught_share=0.5,
    lesson_weight=0.5,
    pseudo_labels=True,
)
