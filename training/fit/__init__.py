"""From windows to a network: mixtures, augmentation, losses, checkpoints."""
