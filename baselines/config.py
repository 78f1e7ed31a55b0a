"""Recipes: every number of a learn or an unlearn run, frozen, from a preset file and `key=value` settings."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from baselines import methods
from mllmu_med_dataset.errors import UserError, nearest, unknown


class _Frozen(BaseModel):
    """A value that can't change after it was checked, and that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            for key in value:
                if key not in cls.model_fields:
                    raise unknown("setting", str(key), cls.model_fields)
        return value

    @classmethod
    def of(cls, values: Mapping[str, object], where: str) -> Self:
        """Check the values and return the recipe, or refuse with a paragraph that names the place and the key."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise UserError(f"{where}: {key} is {first['input']!r}, but {_lower(first['msg'])}.") from None


class Lora(_Frozen):
    """A low-rank adapter on the linear layers of the language model."""

    rank: int = Field(16, ge=1)
    alpha: float = Field(32.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)


class Recipe(_Frozen):
    """What learning and unlearning share: the optimiser and its schedule."""

    batch: int = Field(16, ge=1)  # rows of each role in one forward pass
    accumulation: int = Field(1, ge=1)  # forward passes in one optimiser step; rows a step = batch * accumulation
    learning_rate: float = Field(1e-4, gt=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_share: float = Field(0.05, ge=0, le=1)  # of all steps, rising linearly
    final_share: float = Field(0.0, ge=0, le=1)  # of the learning rate, reached at the last step
    weight_decay: float = Field(0.0, ge=0)
    beta2: float = Field(0.999, gt=0, lt=1)
    max_norm: float | None = Field(1.0, gt=0)  # of the gradient; none: not clipped
    dtype: Literal["float32", "bfloat16"] = "float32"
    load_in_4bit: bool = False  # the frozen weights (bitsandbytes, CUDA); the saved model is whole again
    gradient_checkpointing: bool = False  # layers are computed again going backward: less memory, same result
    checkpoint_seconds: float = Field(60.0, gt=0)  # between checkpoints; changes no result

    @property
    def rows_per_step(self) -> int:
        """Return the rows of each role in one optimiser step."""
        return self.batch * self.accumulation

    def canonical(self) -> dict[str, object]:
        """Return what decides a result: everything but how often the run is saved and how its memory is spared."""
        values = self.model_dump(mode="json", exclude={"checkpoint_seconds", "gradient_checkpointing"})
        if not self.load_in_4bit:
            del values["load_in_4bit"]  # as records name a recipe that has no such option
        return values


class LearnRecipe(Recipe):
    """How a base model learns the rows: language model and projector, the vision tower frozen."""

    epochs: float = Field(5.0, gt=0)
    max_steps: int | None = Field(None, ge=1)
    injected_repeats: int = Field(1, ge=1)  # how often an epoch visits a row that carries what was injected
    mean_over: Literal["rows", "tokens"] = "rows"  # tokens: long answers, such as identifiers, weigh by their length
    length_window: int = Field(8, ge=0)  # steps whose rows are sorted by length, to save padding; 0: none
    lora: Lora | None = None


class UnlearnRecipe(Recipe):
    """How the target forgets: an adapter on the language model, steps over the forget rows, a stop rule."""

    epochs: float = Field(5.0, gt=0)  # over the forget rows
    max_steps: int | None = Field(None, ge=1)
    injected_repeats: int = Field(1, ge=1)  # how often a pass over the retain rows visits one that carries an identity
    lora: Lora = Lora()
    options: dict[str, float] = {}  # the method's own
    stop: Literal["holdout"] | None = None  # holdout: stop when forget nll reaches the target's nll on holdout rows
    stop_at: float = Field(1.0, gt=0)  # share of the target's holdout nll at which the rule fires
    stop_nll: float | None = Field(None, gt=0)  # nats a token at which it fires; absent: measured on the target
    stop_every: int = Field(2, ge=1)  # steps between two looks
    stop_rows: int = Field(64, ge=1)  # rows looked at, forget and holdout, a seeded sample

    def canonical(self) -> dict[str, object]:
        """Return what decides a result, as for every recipe."""
        values = super().canonical()
        # As records name a recipe that has no such option.
        if self.stop_nll is None:
            del values["stop_nll"]
        if self.injected_repeats == 1:
            del values["injected_repeats"]
        return values

    def for_method(self, method: methods.Method) -> "UnlearnRecipe":
        """Return the recipe with every option of the method resolved, or refuse an unknown or impossible one."""
        resolved = method.defaults
        for name, value in self.options.items():
            if name not in method.options:
                raise unknown(f"option of method {method.name}", name, method.options)
            method.options[name].check(value, name, f"method {method.name}")
            resolved[name] = value
        return self.model_copy(update={"options": resolved})


@lru_cache
def presets() -> tuple[str, ...]:
    """Return the names of the packaged presets."""
    folder = files("baselines") / "configs"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


@lru_cache
def _preset(name: str) -> Mapping[str, object]:
    """Return a preset by its name, `NAME` or `NAME+VARIANT`, with what it is like filled in."""
    named, *chosen = name.split("+")
    if named not in presets():
        raise unknown("preset", named, presets())
    content = yaml.safe_load((files("baselines") / "configs" / f"{named}.yaml").read_text(encoding="utf-8"))
    for key in content:
        if key not in ("like", "learn", "unlearn", "variants"):
            raise unknown(f"section of preset {named}", key, ("like", "learn", "unlearn", "variants"))
    if like := content.pop("like", None):
        content = _merged(_preset(like), content)
    for variant in chosen:
        variants = content.get("variants") or {}
        if variant not in variants:
            raise unknown(f"variant of preset {named}", variant, variants)
        for key in (changes := variants[variant]):
            if key not in ("learn", "unlearn"):
                raise unknown(f"section of preset {named}, {variant}", key, ("learn", "unlearn"))
        content = _merged(content, {"learn": changes.get("learn", {}), "unlearn": {"all": changes.get("unlearn", {})}})
    return content


def learn_recipe(
    preset: str = "nano", settings: Sequence[str] = (), scenario: str | None = None, rows: str = "target"
) -> LearnRecipe:
    """Return the preset's recipe for learning these rows of a scenario, with the `key=value` settings applied.

    Read in this order, later ones win: `learn`, `learn.scenarios.<scenario>`, its `rows.<rows>`, settings.
    """
    section = dict(_preset(preset).get("learn") or {})
    scenarios = section.pop("scenarios", None) or {}
    own = dict(scenarios.get(scenario) or {})
    by_rows = own.pop("rows", None) or {}
    values = _merged(section, own, by_rows.get(rows) or {})
    for key, value in map(_setting, settings):
        _place(values, key, value, LearnRecipe, {})
    return LearnRecipe.of(values, f"preset {preset}, learn")


def unlearn_recipe(method: str, scenario: str, preset: str = "nano", settings: Sequence[str] = ()) -> UnlearnRecipe:
    """Return the preset's recipe for a method in a scenario, with the `key=value` settings applied.

    Read in this order, later ones win: `unlearn.all`, `unlearn.methods.<method>`,
    `unlearn.scenarios.<scenario>.<method>`, settings. A setting is a key of the recipe, `lora.rank` and its like, or
    an option of the method.
    """
    chosen = methods.get(method)
    section = _preset(preset).get("unlearn") or {}
    for key in section:
        if key not in ("all", "methods", "scenarios"):
            raise unknown(f"section of preset {preset}, unlearn", key, ("all", "methods", "scenarios"))
    by_method, by_scenario = section.get("methods") or {}, (section.get("scenarios") or {}).get(scenario) or {}
    for key in (*by_method, *by_scenario):
        methods.get(key)
    values = _merged(section.get("all") or {}, by_method.get(method) or {}, by_scenario.get(method) or {})
    for key, value in map(_setting, settings):
        _place(values, key, value, UnlearnRecipe, chosen.options)
    return UnlearnRecipe.of(values, f"preset {preset}, unlearn with {method}").for_method(chosen)


def _merged(*layers: Mapping[str, object]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
                merged[key] = _merged(merged[key], value)
            else:
                merged[key] = dict(value) if isinstance(value, Mapping) else value
    return merged


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"The setting '{text}' has no value; write key=value, for example learning_rate=1e-4.")
    value = value.strip()
    try:  # YAML reads 1e-4 as text
        return key.strip(), float(value) if "e" in value.lower() else yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        return key.strip(), value


def _place(
    values: dict[str, object], key: str, value: object, recipe: type[Recipe], options: Mapping[str, object]
) -> None:
    """Put one setting where it belongs: into the recipe, its adapter, or the method's options."""
    outer, _, inner = key.partition(".")
    if key in recipe.model_fields and key != "options":
        values[key] = value
    elif key in options:
        values["options"] = {**dict(values.get("options") or {}), key: value}
    elif outer == "lora" and inner in Lora.model_fields:
        values["lora"] = {**dict(values.get("lora") or {}), inner: value}
    else:
        known = [name for name in recipe.model_fields if name != "options"]
        known += [*options, *(f"lora.{name}" for name in Lora.model_fields)]
        raise UserError(f"Unknown setting '{key}'.{nearest(key, known)} Known: {', '.join(sorted(known))}.")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
