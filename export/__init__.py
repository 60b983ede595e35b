"""From a run's checkpoint to a graph with its card, proven to compute the same."""
