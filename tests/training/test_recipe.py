import pytest

from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training import recipe as recipes


def test_the_seeds_best_settings_are_kept() -> None:
    solo, duo = recipes.find("solo-rawcnn"), recipes.find("duo-rawcnn")
    assert (solo.task, solo.material, solo.epochs) == ("single-label", "solos", 30)
    assert (duo.task, duo.material, duo.epochs) == ("multi-label", "pairs", 20)
    for recipe in (solo, duo):
        assert (recipe.learning_rate, recipe.batch_windows, recipe.labels) == (3e-4, 16, CORE)


def test_every_recipe_is_found_by_its_name() -> None:
    assert "band-melcnn" in recipes.names()
    for name in recipes.names():
        recipe = recipes.find(name)
        assert recipe.name == name
        assert set(recipe.labels) <= set(NAMES)


def test_forests_and_transfer_hear_once() -> None:
    found = [recipes.find(name) for name in recipes.names()]
    assert {recipe.name for recipe in found if recipe.is_forest} == {"forest-raw", "forest-mel"}
    assert {recipe.name for recipe in found if recipe.trees} == {"forest-raw", "forest-mel"}
    frozen = {"transfer-rawcnn", "transfer-melcnn", "transfer-efficientat"}
    assert {recipe.name for recipe in found if recipe.hears_once} == {"forest-raw", "forest-mel", *frozen}


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(DataError, match="no recipe 'lasagne'; there are: band-melcnn"):
        recipes.find("lasagne")
