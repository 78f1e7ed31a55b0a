"""The model card of a trained adapter: what it makes which model forget, how it was trained, how it is loaded."""

import json
from collections.abc import Mapping

from mllmu_med_metrics import UES_VERSION

from ..methods import Method

FORGOTTEN = {
    "privacy": "private information (fictitious identities) about some patients",
    "request": "the (fictitious) identities of some patients and nobody else's",
    "incorrectness": "wrong facts in the answers about some patients",
    "knowledge": "wrong beliefs (of a head and a relation) over many images",
}


def adapter_card(method: Method, model: str, scenario: str, percent: int, config: Mapping[str, object]) -> str:
    """Return the card as Markdown with the Hub's YAML header; `config` is the canonical one of the run.

    A base model is named in the header only where it is one of the Hub's ("organisation/name").
    """
    header = ["library_name: peft", "pipeline_tag: image-text-to-text", "tags: [lora, machine-unlearning, mllmu-med]"]
    header += [f"base_model: {model}"] if model.count("/") == 1 else []
    head = "\n".join(header)
    recipe = json.dumps(config["recipe"], indent=1, sort_keys=True)
    return f"""---
{head}
---

# {method.title} on {model}, {scenario}

A LoRA adapter on the language model of `{model}` that is meant to make it forget {FORGOTTEN[scenario]}, and nothing
else. Made with mllmu-med by `{method.name}` ({method.paper}), which minimises

    {method.objective}

Data: the {scenario} scenario at {percent} % of the patients, content checksum
`{config["data"]}`; seed {config["seed"]}. Every identity in it is fictitious.

## Use

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

base = "{model}"  # the model this adapter was trained on: a Hub id, or its folder
model = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), "this folder")
processor = AutoProcessor.from_pretrained(base)
```

In lm-eval: `--model hf-multimodal --model_args pretrained=BASE,peft=THIS_FOLDER`.

## Limits

That the model no longer says something does not show that it does not hold it: measure with
`mllmu-med evaluate --views` and `mllmu-med likelihood`, and read the Unlearning Efficiency Score (version
{UES_VERSION}, a definition of our own) with its interval. Not for clinical use.

## Recipe

```json
{recipe}
```
"""
