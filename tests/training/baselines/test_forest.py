"""Forests: the network answers as scikit-learn's trees do, and is the same once loaded."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training import recipes
from whoplays.training.baselines.fit_forest import fit_forest, to_nodes
from whoplays.training.baselines.forest import Forest, MelStatistics, Samples
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import by_group
from whoplays.training.fit.checkpoints import load
from whoplays.training.run import RunFolder


def test_the_network_walks_as_the_trees_do() -> None:
    """Also at limits that are no float32, and with a label that is never there."""
    rng = np.random.default_rng(1)
    features = rng.integers(0, 5, (200, 6)).astype(np.float32) / np.float32(3)
    targets = np.stack([features[:, 0] > 1, features[:, 1] + features[:, 2] > 2, np.zeros(200, bool)], axis=1)
    fitted = RandomForestClassifier(7, random_state=1).fit(features, targets.astype(int))
    forest = Forest(torch.nn.Identity(), 3)
    forest.plant(to_nodes(fitted, 3))
    wanted = [each[:, 1] if each.shape[1] == 2 else np.zeros(200) for each in fitted.predict_proba(features)]
    np.testing.assert_allclose(forest(torch.from_numpy(features)), np.stack(wanted, axis=1), atol=1e-6)


@pytest.mark.parametrize("name", ["forest-raw", "forest-mel"])
def test_a_forest_is_fitted_and_kept(name: str, clips: list[Clip], library: Library, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(recipes.find(name), trees=3, epoch_windows=24)
    run = RunFolder(tmp_path)
    fitted = fit_forest(recipe, by_group(clips, 1), library, run, threads=1)
    kept = load(recipe, run.best_checkpoint())
    windows = torch.from_numpy(np.stack([library.window(clip, 0) for clip in clips[:4]]))
    with torch.inference_mode():
        answers = fitted(windows)
        torch.testing.assert_close(kept(windows), answers)
    assert isinstance(kept.network, Forest)
    assert len(kept.network.get_buffer("roots")) == 3
    assert kept.network.depth > 0
    assert answers.min() >= 0
    assert answers.max() <= 1
    assert answers.std() > 0


@pytest.mark.parametrize(("front", "count"), [(Samples(), 6615), (MelStatistics(), 256)])
def test_forests_hear_the_same_at_any_level(front: torch.nn.Module, count: int) -> None:
    audio = 0.1 * torch.randn(1, 2, WINDOW_SAMPLES, generator=torch.Generator().manual_seed(1))
    loud, quiet, silent = front(torch.cat([audio, audio / 100, 0 * audio]))
    assert loud.shape == (count,)
    torch.testing.assert_close(loud, quiet, rtol=1e-3, atol=1e-4)
    assert silent.isfinite().all()
