"""The network under training: its loss by task, its optimiser by recipe."""

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MultilabelAveragePrecision

from whoplays.training.fit.mixtures import BandBatch
from whoplays.training.networks.mel_cnn import FEATURES, MelClassifier, MelCNN
from whoplays.training.networks.registry import Network, build, to_probabilities
from whoplays.training.recipe import Recipe


class Tagger(lightning.LightningModule):
    """A network with the loss and optimiser of its recipe.

    Batches are `(audio, target float32 [batch, labels])`, or a `BandBatch`.

    Args:
        lessons: how many classes there are to foretell what teachers make of a window; needed in training only.
    """

    def __init__(self, recipe: Recipe, lessons: int = 0) -> None:
        super().__init__()
        self.recipe = recipe
        self.network: Network = build(recipe.network, len(recipe.labels))
        self.pupil = nn.Linear(FEATURES, lessons) if lessons else None
        self.to_probabilities = to_probabilities(self.network, recipe.task)
        self.precision = MultilabelAveragePrecision(num_labels=len(recipe.labels), average="weighted")

    def forward(self, audio: Tensor) -> Tensor:
        """Probabilities `[batch, labels]` of windows `[batch, 2, 132300]`."""
        probabilities: Tensor = self.to_probabilities(self.network(audio))
        return probabilities

    def on_train_batch_start(self, _batch: object, _index: int) -> None:
        """Seed dropout by the step's number, so that a resumed run goes on as an unbroken one would."""
        torch.manual_seed(self.recipe.seed + self.global_step)

    def training_step(self, batch: BandBatch | tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Loss of one batch."""
        if isinstance(batch, BandBatch) and isinstance(self.network, MelCNN):
            loss = self._band_loss(self.network.classifier, batch)
        else:
            loss = self.loss(self.network(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def _band_loss(self, classifier: MelClassifier, batch: BandBatch) -> Tensor:
        """A network over mel power learns behind its front end, which has nothing to learn."""
        pooled = classifier.pooled(batch.power)
        loss = self.loss(classifier.named(pooled)[batch.labelled], batch.target[batch.labelled])
        self.log("label_loss", loss, on_step=False, on_epoch=True)
        if self.pupil is None or not batch.taught.any():
            return loss
        lesson_loss = nn.functional.mse_loss(self.pupil(pooled[batch.taught]), batch.lesson[batch.taught])
        self.log("lesson_loss", lesson_loss, on_step=False, on_epoch=True)
        return loss + self.recipe.lesson_weight * lesson_loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        """Loss and precision of one batch of windows."""
        audio, target = batch
        logits = self.network(audio)
        self.log("validation_loss", self.loss(logits, target), prog_bar=True)
        self.precision.update(self.to_probabilities(logits), target.int())

    def on_validation_epoch_end(self) -> None:
        """Report average precision, each label weighted by how often it plays; one that never does has no say."""
        self.log("validation_map", self.precision.compute(), prog_bar=True)
        self.precision.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam, at a constant rate or along one cycle."""
        rate = self.recipe.learning_rate
        if not self.recipe.one_cycle:
            return torch.optim.Adam(self.parameters(), rate)
        optimiser = torch.optim.AdamW(self.parameters(), rate, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """What training makes small: of one label, cross-entropy; of several, multi-label soft margin."""
        if self.recipe.task == "single-label":
            return nn.functional.cross_entropy(logits, target.argmax(dim=1))
        return nn.functional.multilabel_soft_margin_loss(logits, target)
