"""One code path for every family: what it is shown is what the harness shows it, and only its language model moves."""

import re

import pytest
import torch
from PIL import Image

from baselines.config import LearnRecipe, Lora, UnlearnRecipe
from baselines.losses import nll_per_row
from baselines.methods import METHODS
from baselines.model import models
from baselines.training.collate import Encoder, answer_logits, picture_of
from baselines.training.learn import learn
from baselines.training.roles import Rows
from baselines.training.unlearn import unlearn
from mllmu_med_tasks.backends import wrap
from mllmu_med_tasks.prompts import prompt
from tests.families import FAMILIES, make_family
from tests.families_table import check_terms, few_rows, run_family

# LLaVA is what every other test here runs on; Idefics3 and SmolVLM, Qwen2.5-VL and Qwen3-VL share most of their code.
FAST = ("llava_next", "qwen2_5_vl", "smolvlm", "gemma3", "paligemma", "internvl")
SAVED = ("qwen2_5_vl", "gemma3")
EACH = pytest.mark.parametrize(
    "family", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
VISUAL, PROJECTS = re.compile("vis(ion|ual)"), re.compile("projector|merger|connector")
SHAPES = ((64, 64), (96, 40), (40, 96), (64, 64))


@pytest.fixture(scope="session")
def uneven(data):
    """Return the rows with noise of several shapes for images: the next but two has the shape of the first."""
    draw = torch.Generator().manual_seed(0)

    def shown(rows):
        images = [
            Image.frombytes(
                "RGB", shape, bytes(torch.randint(0, 256, (3 * shape[0] * shape[1],), generator=draw).tolist())
            )
            for shape in SHAPES
        ]
        return [{**row, "image": images[n % 4], "image_id": f"{row['image_id']}-{n % 4}"} for n, row in enumerate(rows)]

    return Rows(shown(data.forget[:4]), shown(data.retain[:4]), shown(data.holdout[:4]))


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Return a function that gives the folder of a family's tiny model."""
    made = {}

    def make(family):
        if family not in made:
            made[family] = make_family(family, tmp_path_factory.mktemp(family) / "base")
        return made[family]

    return make


@EACH
def test_a_family_is_shown_what_the_harness_shows_it_and_looks_at_it(family, folder_of, uneven):
    loaded = models.load(folder_of(family))
    loaded.processor.tokenizer.model_max_length = 8  # a limit of the tokenizer never cuts an image's tokens
    lm = wrap(loaded.model, loaded.processor, batch_size=4)  # lm-eval's own model
    encoder = Encoder(loaded.model, loaded.processor)
    rows = uneven.forget
    examples = [encoder.example(row, str(row["answer"])) for row in rows]
    asked = [lm.apply_chat_template([{"role": "user", "content": prompt(row["question"])}]) for row in rows]
    sent = lm.tok_batch_multimodal_encode(asked, [[picture_of(row)] for row in rows])
    together = encoder.batch(examples).inputs
    for place, example in enumerate(examples):
        assert example.prompt.tolist() == sent["input_ids"][place][sent["attention_mask"][place] == 1].tolist()
    places = {"input_ids", "attention_mask", "position_ids", "labels", *examples[0].per_token}
    assert {name for name in sent if name not in places} == {name for name in together if name not in places}
    for name in together.keys() - places:  # tiles, sizes, grids, masks of pixels: all of them, in the same order
        assert torch.equal(together[name], sent[name]), name

    def cost(rows):
        batch = encoder.batch([encoder.example(row, str(row["answer"])) for row in rows])
        return nll_per_row(answer_logits(loaded.model, batch), batch.labels)

    with torch.no_grad():
        own = cost(rows)
        alone = torch.cat([cost([row]) for row in rows])
        swapped = [{**row, **{key: rows[3 - n][key] for key in ("image", "image_id")}} for n, row in enumerate(rows)]
        other = cost(swapped)
    assert torch.allclose(own, alone, atol=2e-5)
    assert (own - other)[[0, 3]].abs().min() > 1e-3  # an image of the same shape, so the same number of tokens


@EACH
@pytest.mark.parametrize("method", ["kl_min", "rmu"])
def test_a_familys_terms_hold_to_the_contract(family, method, folder_of, uneven):
    """Whatever the split of a batch of uneven images, and with gradients in the language model's adapter alone."""
    check_terms(METHODS[method], models.load(folder_of(family)), uneven)


@pytest.mark.parametrize(
    "family", [name if name in SAVED else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_a_family_learns_and_unlearns_in_its_language_model_only(family, folder_of, uneven, data_dir, tmp_path):
    from safetensors.torch import load_file

    base = folder_of(family)
    common = {"data_dir": data_dir, "scenario": "privacy", "seed": 0, "data": uneven}
    few = {"batch": 2, "accumulation": 2, "max_steps": 2, "learning_rate": 1e-3}
    learn(model=base, rows="target", out=tmp_path / "target", recipe=LearnRecipe(**few), **common)
    recipe = UnlearnRecipe(**few, lora=Lora(rank=2, alpha=4))
    record = unlearn(model=tmp_path / "target", method="kl_min", out=tmp_path / "gone", recipe=recipe, **common)
    assert (record.steps, record.verdict) == (2, None)
    first, learned, unlearned = (
        load_file(folder / "model.safetensors")
        for folder in (base, tmp_path / "target" / "model", tmp_path / "gone" / "model")
    )
    # The files hold the names of the family's published checkpoints, which differ from those of the modules.
    moved = {name for name in first if not torch.equal(first[name], learned[name])}
    assert any(PROJECTS.search(name) for name in moved) and any(not VISUAL.search(name) for name in moved)
    assert all(PROJECTS.search(name) or not VISUAL.search(name) for name in moved)
    changed = {name for name in first if not torch.equal(learned[name], unlearned[name])}
    assert changed and not [name for name in changed if VISUAL.search(name) or PROJECTS.search(name)]
    adapter = load_file(tmp_path / "gone" / "adapter" / "adapter_model.safetensors")
    assert adapter and all(re.search(r"\.(language_model|text_model)\.layers\.", name) for name in adapter)


@pytest.mark.slow
@EACH
def test_a_family_runs_every_method_and_answers_the_harness(family, tmp_path):
    from mllmu_med_dataset.load import PACKAGED

    cells = run_family(family, list(METHODS), tmp_path, PACKAGED, few_rows(PACKAGED))
    assert set(cells) == {"learn", *METHODS}
