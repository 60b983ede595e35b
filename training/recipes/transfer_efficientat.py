"""Other embeddings: what EfficientAT mn04 has learnt of AudioSet, kept as it is, and the seed's new head for pairs."""

from whoplays.models.labels import CORE
from whoplays.training.recipe import EFFICIENTAT, Recipe

RECIPE = Recipe(
    name="transfer-efficientat",
    description="Dense layers on the frozen features of EfficientAT mn04 name each of four instruments.",
    network="efficientat-transfer",
    base=EFFICIENTAT,
    material="pairs",
    task="multi-label",
    labels=CORE,
    epochs=200,
    epoch_windows=6144,
    batch_windows=64,
    learning_rate=1e-4,
)
