import pytest

from baselines import methods
from baselines.config import LearnRecipe, UnlearnRecipe, learn_recipe, presets, unlearn_recipe
from baselines.study.study import METHODS as BENCH
from mllmu_med_dataset.errors import UserError


@pytest.mark.parametrize("preset", presets())
@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_every_preset_gives_every_recipe(preset, scenario):
    assert learn_recipe(preset, scenario=scenario).rows_per_step >= 1
    for method in methods.METHODS.values():
        recipe = unlearn_recipe(method.name, scenario, preset)
        assert set(recipe.options) == set(method.options)
        # What has no lower bound must have an end.
        assert (recipe.stop == "holdout") == method.ascends


def test_settings_reach_the_recipe_its_adapter_and_the_methods_options():
    settings = ["learning_rate=3e-4", "lora.rank=4", "retain_weight=2", "stop=null"]
    recipe = unlearn_recipe("gd", "privacy", settings=settings)
    assert (recipe.learning_rate, recipe.lora.rank, recipe.options["retain_weight"], recipe.stop) == (3e-4, 4, 2, None)
    assert learn_recipe(settings=["mean_over=tokens"]).mean_over == "tokens"


def test_what_is_learned_first_has_a_recipe_of_its_own():
    first, then = learn_recipe(scenario="knowledge", rows="clean"), learn_recipe(scenario="knowledge", rows="target")
    assert (first.epochs, first.injected_repeats, first.learning_rate) == (7, 1, 2e-3)
    assert (then.epochs, then.injected_repeats, then.learning_rate) == (1, 3, 2e-4)
    assert learn_recipe(scenario="knowledge", rows="retain_only") == then == learn_recipe(scenario="knowledge")
    assert learn_recipe(scenario="privacy", rows="clean") == learn_recipe(scenario="privacy")


def test_recipes_can_not_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        LearnRecipe().epochs = 3


def test_how_often_a_run_is_saved_does_not_decide_it():
    one, other = LearnRecipe(checkpoint_seconds=1), LearnRecipe(checkpoint_seconds=100)
    assert one.canonical() == other.canonical() != LearnRecipe(epochs=6).canonical()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["lerning_rate=1"], "Did you mean 'learning_rate'"),
        (["retain_wieght=1"], "Did you mean 'retain_weight'"),
        (["kl_weight=1"], "Unknown setting 'kl_weight'"),  # another method's option
        (["epochs"], "has no value"),
        (["=1"], "has no value"),
        (["batch=0"], "batch is 0"),
        (["batch=many"], "batch is 'many'"),
        (["learning_rate=nan"], "learning_rate is"),
        (["learning_rate=-1e-4"], "learning_rate is"),
        (["stop=oracle"], "stop is 'oracle'"),
        (["schedule=step"], "schedule is 'step'"),
        (["retain_weight=-1"], "takes a number from 0"),
        (["lora.rank=0"], "lora.rank is 0"),
        (["lora.size=4"], "Unknown setting 'lora.size'"),
    ],
)
def test_bad_settings_are_refused_with_the_reason(settings, said):
    with pytest.raises(UserError, match=said):
        unlearn_recipe("gd", "privacy", settings=settings)


def test_unknown_keys_presets_and_methods_are_refused():
    with pytest.raises(UserError, match="Did you mean 'epochs'"):
        LearnRecipe(epoch=3)
    with pytest.raises(UserError, match=r"Unknown preset 'nanoo'.* Did you mean 'nano'"):
        learn_recipe("nanoo")
    with pytest.raises(UserError, match="Unknown method"):
        unlearn_recipe("gdd", "privacy")


def test_options_of_whole_numbers_stay_whole():
    with pytest.raises(UserError, match="a whole number from 1 to 5"):
        UnlearnRecipe(options={"mismatched_answers": 2.5}).for_method(methods.get("llmu"))


@pytest.mark.parametrize("preset", presets())
@pytest.mark.parametrize("scenario", ["privacy", "incorrectness"])
def test_the_control_takes_as_many_steps_as_the_methods_of_a_bench(preset, scenario):
    """What that much training on retain rows does by itself."""
    control = unlearn_recipe("retain_ft", scenario, preset)
    methods_of_bench = [unlearn_recipe(name, scenario, preset) for name in BENCH]
    most = max(methods_of_bench, key=lambda recipe: recipe.epochs)
    assert (control.epochs, control.rows_per_step) == (most.epochs, most.rows_per_step)
    assert control.stop is None
