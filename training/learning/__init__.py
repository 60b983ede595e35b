"""From windows to a network: batches, losses, checkpoints, forests and heads on frozen features."""
