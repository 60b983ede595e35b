"""How far training is: a bar on a terminal, elsewhere a line for every epoch."""

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar

from whoplays.training.console import NOTES


def progress_bar() -> ProgressBar:
    """A bar where standard output is a terminal, on which Lightning draws it; else lines on standard error."""
    return _Bar(refresh_rate=10) if sys.stdout.isatty() else _Lines()


class _Bar(TQDMProgressBar):
    def get_metrics(self, trainer: Trainer, tagger: LightningModule) -> dict[str, Any]:
        """Losses alone: as version of a log, its folder's name was shown."""
        return {name: value for name, value in super().get_metrics(trainer, tagger).items() if name != "v_num"}


class _Lines(ProgressBar):
    """A progress bar by name only: Lightning would add one of its own where there is none."""

    def on_train_epoch_end(self, trainer: Trainer, _tagger: LightningModule) -> None:
        """Say which epoch is over, and its losses."""
        losses = (f"{name.replace('_', ' ')} {float(loss):.4f}" for name, loss in trainer.progress_bar_metrics.items())
        NOTES.print(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {', '.join(losses)}")
