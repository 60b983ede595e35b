import msgspec
import pytest

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipes
from whoplays.training.recipes import Recipe


def test_the_original_projects_best_settings_are_kept() -> None:
    solo, duo = recipes.find("solo-rawcnn"), recipes.find("duo-rawcnn")
    assert (solo.task, solo.examples, solo.epochs) == ("single-label", "solos", 30)
    assert (duo.task, duo.examples, duo.epochs) == ("multi-label", "pairs", 20)
    for recipe in (solo, duo):
        assert (recipe.learning_rate, recipe.batch_windows, recipe.labels) == (3e-4, 16, CORE)


def test_every_recipe_is_found_by_its_name() -> None:
    assert "band-mobilenet" in recipes.names()
    assert len(set(recipes.names())) == len(recipes.RECIPES)
    for name in recipes.names():
        recipe = recipes.find(name)
        assert recipe.name == name
        assert set(recipe.labels) <= set(NAMES)


def test_forests_and_transfer_use_cached_features() -> None:
    found = [recipes.find(name) for name in recipes.names()]
    assert {recipe.name for recipe in found if recipe.is_forest} == {"forest-raw", "forest-mel"}
    assert {recipe.name for recipe in found if recipe.trees} == {"forest-raw", "forest-mel"}
    frozen = {"transfer-rawcnn", "transfer-efficientat"}
    assert {recipe.name for recipe in found if recipe.uses_cached_features} == {"forest-raw", "forest-mel", *frozen}


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(DataError, match="recipe 'lasagne' not found; there are: band-mobilenet"):
        recipes.find("lasagne")


def test_a_recipe_of_an_earlier_version_is_read() -> None:
    """As a run's configuration keeps it, with settings that recipes have no more."""
    kept = msgspec.json.decode(msgspec.json.encode(recipes.find("band-mobilenet")))
    assert {"material", "bank_windows", "taught_share"} <= set(kept)
    older = msgspec.json.encode(kept | {"lesson_weight": 0.5, "pseudo_labels": True})
    assert msgspec.json.decode(older, type=Recipe) == recipes.find("band-mobilenet")
