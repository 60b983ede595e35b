"""Stage 1 of the seed: which one of four instruments plays."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import Recipe

RECIPE = Recipe(
    name="solo-rawcnn",
    description="The seed's stage 1: a convolutional network over the raw waveform names one of four instruments.",
    network="raw-cnn",
    material="solos",
    task="single-label",
    labels=CORE,
    epochs=30,
    learning_rate=3e-4,
    patience_epochs=5,
)
