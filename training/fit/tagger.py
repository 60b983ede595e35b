"""The network under training: its loss by task, its optimiser by recipe."""

from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Final, NamedTuple

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.classification import MultilabelAveragePrecision

from whoplays.training.fit.mixtures import UNKNOWN, MixtureBatch
from whoplays.training.networks import registry
from whoplays.training.networks.efficientat import EfficientATNetwork, read_weights
from whoplays.training.networks.frame_tagger import FrameTagger, Logits
from whoplays.training.networks.mel_power import log_mel
from whoplays.training.recipes import Recipe

_HEAD_RATE: Final = 4.0
"""How much faster the heads learn than a trunk that has learnt already."""
_RETAINED: Final = 0.25
"""How much each nat counts by which the trunk leads the tagger's own classifier away from the tagger's answers."""


class Tagger(lightning.LightningModule):
    """A network with the loss and optimiser of its recipe.

    Batches are `(audio, target float32 [batch, labels])`, or a `MixtureBatch`.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = registry.build(recipe.network, len(recipe.labels))
        self.to_probabilities = _to_probabilities(recipe)
        self.precision = MultilabelAveragePrecision(num_labels=len(recipe.labels), average="weighted")
        self._teacher: _Teacher | None = None
        self._tagger: _TaggerTeacher | None = None

    def keep(self, labels: Collection[str]) -> None:
        """Let the network, as it is now, teach these labels from now on: of them the targets say nothing.

        It is distilled into itself, so that it does not forget (Li and Hoiem, "Learning without Forgetting", 2016).
        """
        if isinstance(self.network, FrameTagger):
            known = torch.tensor([label in labels for label in self.recipe.labels])
            self._teacher = _Teacher(deepcopy(self.network).eval().requires_grad_(requires_grad=False), known)

    def retain(self, weights: Path) -> None:
        """Let the trunk stay one from which a published tagger's classifier tells what that tagger itself answers.

        Args:
            weights: the file of its weights.

        Raises:
            DataError: the file does not hold them.
        """
        tagger = read_weights(weights).requires_grad_(requires_grad=False)
        self._tagger = _TaggerTeacher(tagger.to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    def forward(self, audio: Tensor) -> Tensor:
        """Probabilities `[batch, labels]` of windows `[batch, 2, 132300]`."""
        output = self.network(audio)
        probabilities: Tensor = self.to_probabilities(output.window if isinstance(output, Logits) else output)
        return probabilities

    def on_train_batch_start(self, _batch: object, _index: int) -> None:
        """Seed dropout by the step's number, so that a resumed run continues as an unbroken one would."""
        torch.manual_seed(self.recipe.seed + self.global_step)

    def training_step(self, batch: MixtureBatch | tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Loss of one batch. Of mel power the front end, which has nothing to learn, is left out."""
        if isinstance(batch, MixtureBatch) and isinstance(self.network, FrameTagger):
            batch = self._teacher.taught(batch) if self._teacher else batch
            steps = self.network.embed(log_mel(batch.power))
            logits = self.network.judge(steps)
            loss = _known_loss(logits.window, batch.target) + _known_loss(logits.frames, batch.frame_target)
            diverged = self._tagger.divergence(batch.power, steps) if self._tagger else 0.0
        else:
            loss, diverged = self.loss(self.network(batch[0]), batch[1]), 0.0
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss + _RETAINED * diverged

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        """Loss and precision of one batch of windows."""
        audio, target = batch
        output = self.network(audio)
        logits = output.window if isinstance(output, Logits) else output
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
        groups: list[dict[str, object]] = [
            {"params": [value for name, value in self.named_parameters() if ("head" in name) == of_head], "lr": each}
            for of_head, each in ((False, rate), (True, _HEAD_RATE * rate))
        ]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [rate, _HEAD_RATE * rate], total_steps=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """What training makes small: of one label, cross-entropy; of several, multi-label soft margin."""
        if self.recipe.task == "single-label":
            return nn.functional.cross_entropy(logits, target.argmax(dim=1))
        return nn.functional.multilabel_soft_margin_loss(logits, target)


class _Teacher(NamedTuple):
    """A network and the labels that it teaches; no part of the module, so that checkpoints hold what learns alone."""

    network: FrameTagger
    known: Tensor
    """`bool [labels]`"""

    def taught(self, batch: MixtureBatch) -> MixtureBatch:
        """A batch with its probabilities as targets."""
        known = self.known.to(batch.power.device)
        with torch.no_grad():
            logits = self.network.to(batch.power.device).classify(batch.power)
        return MixtureBatch(
            batch.power,
            torch.where(known, torch.sigmoid(logits.window), batch.target),
            torch.where(known, torch.sigmoid(logits.frames), batch.frame_target),
        )


class _TaggerTeacher(NamedTuple):
    """A published tagger as it is; no part of the module either."""

    network: EfficientATNetwork

    def divergence(self, power: Tensor, steps: Tensor) -> Tensor:
        """Of its answers from its classifier's over a trunk's features: Kullback-Leibler, in nats, sum over classes."""
        network = self.network.to(power.device)
        with torch.no_grad():
            known = torch.sigmoid(network(log_mel(power).transpose(1, 2)[:, None]))
        told = network.classifier[2:](steps.mean(dim=1))
        cross_entropy = nn.functional.binary_cross_entropy_with_logits(told, known, reduction="sum")
        entropy = nn.functional.binary_cross_entropy(known, known, reduction="sum")
        divergence: Tensor = (cross_entropy - entropy) / len(power)
        return divergence


def _known_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the targets that are known."""
    known = (target != UNKNOWN).float()
    losses = nn.functional.binary_cross_entropy_with_logits(logits, target.clamp(min=0.0), known, reduction="sum")
    return losses / known.sum().clamp(min=1.0)


def _to_probabilities(recipe: Recipe) -> nn.Module:
    """What makes probabilities of a network's output; a forest's are such already."""
    if recipe.is_forest:
        return nn.Identity()
    return nn.Softmax(dim=1) if recipe.task == "single-label" else nn.Sigmoid()
