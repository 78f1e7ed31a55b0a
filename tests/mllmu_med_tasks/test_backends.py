"""The three backends: a served model answers as one in this process does, and bad options are refused by name."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

import baselines.nano
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.answers.thoughts import split_thought
from mllmu_med_tasks import backends
from mllmu_med_tasks.prompts import prompt
from tests import asking
from tests.openai_server import serving

NANO = baselines.nano.MODEL


@pytest.fixture(scope="module")
def address():
    """The address of a server of the nano model."""
    with serving(NANO, "nano") as url:
        yield url


def answers(folder):
    return {
        sample["doc"]["id"]: sample["filtered_resps"]
        for path in folder.glob("samples_*.jsonl")
        for sample in map(json.loads, path.read_text().splitlines())
    }


def prompts(folder):
    """Every prompt that was asked."""
    return {
        str(sample["arguments"]["gen_args_0"]["arg_0"])
        for path in folder.glob("samples_*.jsonl")
        for sample in map(json.loads, path.read_text().splitlines())
    }


def test_a_served_model_gives_the_answers_it_gives_in_this_process(address, data_dir, tmp_path):
    options = {"data_dir": data_dir, "subsets": ["forget", "holdout"], "limit": 4}
    told = []
    served = asking.run(
        "nano", "privacy", out=tmp_path / "served", backend="served", base_url=address, concurrent=2,
        progress=lambda done, total: told.append((done, total)), **options,
    )  # fmt: skip
    here = asking.run(NANO, "privacy", out=tmp_path / "hf", device="cpu", **options)
    assert answers(served) == answers(here) and len(answers(here)) == 8
    assert len({text for (text,) in answers(here).values()}) > 1
    assert told[-1] == (8, 8)
    # The server renders the template: what is sent is the chat form, without a placeholder.
    assert not any("<image>" in asked for asked in prompts(served))
    (path,) = served.glob("results_*.json")
    config = json.loads(path.read_text())["config"]
    assert (config["model"], config["model_args"]["pretrained"]) == ("local-chat-completions", "nano")


@pytest.mark.slow
def test_every_row_is_answered_alike_by_a_served_model(address, data_dir, tmp_path):
    for scenario in ("privacy", "incorrectness"):
        served = asking.run(
            "nano", scenario, out=tmp_path / f"served-{scenario}", backend="served", base_url=address,
            data_dir=data_dir, views=True,
        )  # fmt: skip
        here = asking.run(NANO, scenario, out=tmp_path / scenario, data_dir=data_dir, views=True, device="cpu")
        assert answers(served) == answers(here)


def test_what_a_server_does_not_offer_is_refused_with_what_it_does(address):
    with pytest.raises(UserError, match=r"does not offer the model 'nanno'\. Did you mean 'nano'\?"):
        backends.open_served("nanno", base_url=address + "/chat/completions")


def test_a_place_where_nothing_answers_is_refused():
    with pytest.raises(UserError, match=r"No server answers at http://127.0.0.1:9/v1"):
        backends.open_served("nano", base_url="http://127.0.0.1:9/v1/")


def served_model(**options):
    from mllmu_med_tasks.served_model import ServedModel

    return ServedModel("m", base_url="http://127.0.0.1:9/v1/chat/completions", **options)


def test_a_served_prompt_is_the_question_alone():
    sent = served_model().apply_chat_template([{"role": "user", "content": prompt("Which organ?")}])
    assert json.loads(sent.prompt) == [{"role": "user", "content": "Which organ?"}]


@pytest.mark.parametrize(
    "reply", [{}, {"choices": []}, {"choices": [{"message": {}}]}, {"choices": [{"message": {"content": 3}}]}]
)
def test_a_reply_that_is_no_completion_is_no_empty_answer(reply):
    with pytest.raises(UserError, match="no chat completion"):
        served_model().parse_generations(reply)
    assert served_model().parse_generations({"choices": [{"message": {"content": None}}]}) == [""]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_thought_that_a_server_took_off_is_kept_apart_from_what_is_shown(field):
    message = {"content": "The liver.", field: "Ada Quillby,\nof course."}
    (answer,) = served_model().parse_generations({"choices": [{"message": message}]})
    assert split_thought(answer) == ("Ada Quillby,\nof course.", "The liver.")
    (answer,) = served_model().parse_generations({"choices": [{"message": {"content": None, field: "Ada"}}]})
    assert split_thought(answer) == ("Ada", "")
    for message in ({"content": "x", field: ["Ada"]}, ["x"], "x", None):
        with pytest.raises(UserError, match="no chat completion"):
            served_model().parse_generations({"choices": [{"message": message}]})


def test_a_served_thought_may_have_many_lines_and_the_answer_is_the_first_line_after_it(monkeypatch):
    from lm_eval.models.openai_completions import LocalChatCompletion

    said = "<think>\nAda\nQuillby\n</think>\n\nThe liver.\nAnything else?"
    monkeypatch.setattr(LocalChatCompletion, "generate_until", lambda self, requests, _: [said for _ in requests])
    (answer,) = served_model().generate_until([SimpleNamespace(args=("", {"until": []}))])
    assert split_thought(answer) == ("Ada\nQuillby", "The liver.")


def test_a_server_that_stops_answering_is_told_in_a_paragraph(data_dir, tmp_path, monkeypatch):
    model = served_model(retries=1)
    with pytest.raises(UserError, match="did not answer row 1 or one after it"):
        asking.run(model, "privacy", subsets=["forget"], out=tmp_path / "e", data_dir=data_dir, limit=1)
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"backend": "hff"}, "Did you mean 'hf'"),
        ({"backend": "served"}, "--base-url"),
        ({"backend": "hf", "base_url": "http://x"}, "for the backend served"),
        ({"backend": "served", "base_url": "http://x", "peft": "a"}, "Serve the adapter"),
        ({"backend": "hf", "model_args": {"dtype": "auto"}}, "for the backend vllm"),
        ({"backend": "hf", "peft": "nowhere"}, "holds no adapter"),
        ({"backend": "vllm", "peft": "nowhere"}, "holds no adapter"),
    ],
)
def test_options_of_another_backend_are_refused(options, part):
    with pytest.raises(UserError, match=part):
        backends.Backend(kind=options.pop("backend"), **options).open(NANO)


def test_without_a_chat_template_a_served_model_is_not_asked(tmp_path, data_dir):
    with pytest.raises(UserError, match="its own chat template"):
        asking.run(
            "m", "privacy", out=tmp_path / "e", data_dir=data_dir, backend="served", base_url="http://127.0.0.1:9/v1",
            apply_chat_template=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A LoRA adapter of the nano model that changes its answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(NANO, dtype=torch.float32)
    torch.manual_seed(0)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=r".*language_model.*\.(q_proj|v_proj|down_proj)"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=1.0)
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    tuned.save_pretrained(folder)
    return folder


def test_an_adapter_answers_as_its_merged_model(adapter, data_dir, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    options = {"data_dir": data_dir, "subsets": ["test"], "limit": 4}
    with_adapter = asking.run(NANO, "privacy", out=tmp_path / "a", peft=adapter, device="cpu", **options)
    model = AutoModelForImageTextToText.from_pretrained(NANO, dtype="auto")
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    wrapped = backends.wrap(merged, backends.load_processor(NANO))
    assert answers(with_adapter) == answers(asking.run(wrapped, "privacy", out=tmp_path / "m", **options))
    without = asking.run(NANO, "privacy", out=tmp_path / "w", device="cpu", **options)
    assert answers(with_adapter) != answers(without)


def test_an_adapter_of_another_model_is_refused(adapter, tiny_model):
    with pytest.raises(UserError, match="does not fit the model"):
        backends.open_model(tiny_model, peft=adapter, device="cpu")


def test_vllm_gets_the_model_one_image_a_prompt_and_the_adapters_rank(adapter):
    assert backends.vllm_arguments("m", batch_size=8, seed=3, model_args={"tensor_parallel_size": "2"}) == {
        "pretrained": "m",
        "dtype": "auto",
        "max_images": 1,
        "batch_size": 8,
        "seed": 3,
        "generation_config": "vllm",
        "tensor_parallel_size": 2,
    }
    with_adapter = backends.vllm_arguments("m", peft=adapter)
    assert (with_adapter["lora_local_path"], with_adapter["max_lora_rank"]) == (str(adapter), 4)


def test_without_vllm_that_is_said():
    with pytest.raises(UserError, match=r"needs the package vllm .*lm_eval\[vllm\]"):
        backends.Backend(kind="vllm").open(NANO)


class FakeEngine:
    """What lm-eval calls of vLLM's ``LLM``; answers with the size of the picture and the prompt's last word."""

    def __init__(self, **arguments):
        self.arguments = arguments
        self.llm_engine = SimpleNamespace(model_config=None)

    def generate(self, requests, sampling_params, use_tqdm=False, lora_request=None):
        assert sampling_params.arguments["temperature"] == 0 and sampling_params.arguments["max_tokens"] == 96
        told = []
        for request in requests:
            (picture,) = request["multi_modal_data"]["image"]
            text = f"{picture.size} {picture.mode} {request['prompt'].split()[-1]}"
            told.append(SimpleNamespace(outputs=[SimpleNamespace(text=text)]))
        return told


@pytest.fixture
def fake_vllm(monkeypatch):
    """Modules that stand where vLLM and ray would, as far as lm-eval reaches into them."""

    class SamplingParams:
        """Refuses, as vLLM's own, what it does not know: transformers' settings are none of its."""

        def __init__(
            self, *, max_tokens, stop, temperature, repetition_penalty, min_tokens, skip_special_tokens,
            spaces_between_special_tokens,
        ):  # fmt: skip
            assert (repetition_penalty, min_tokens) == (1.0, 0)
            self.arguments = {"temperature": temperature, "max_tokens": max_tokens}

    def load_tokenizer(folder, **_):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder)

    contents = {
        "ray": {},
        "vllm": {"LLM": FakeEngine, "SamplingParams": SamplingParams, "TokensPrompt": dict, "TextPrompt": dict},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": lambda *arguments: arguments},
        "vllm.renderers": {},
        "vllm.renderers.hf": {"resolve_chat_template": lambda **_: None},
        "vllm.tokenizers": {"get_tokenizer": load_tokenizer},
    }
    for name, members in contents.items():
        module = ModuleType(name)
        module.__path__ = []
        module.__spec__ = SimpleNamespace(name=name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("lm_eval.models.vllm_causallms", "lm_eval.models.vllm_vlms"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import importlib.metadata as metadata

    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.18.0" if name == "vllm" else version(name))
    yield
    for name in ("lm_eval.models.vllm_causallms", "lm_eval.models.vllm_vlms"):
        sys.modules.pop(name, None)


def test_the_vllm_backend_hands_over_one_picture_and_the_rendered_prompt(fake_vllm, data_dir, tmp_path):
    out = asking.run(
        NANO, "privacy", out=tmp_path / "e", data_dir=data_dir, subsets=["test"], backend="vllm", limit=3,
        model_args={"max_model_len": "512"},
    )  # fmt: skip
    here = asking.run(NANO, "privacy", out=tmp_path / "h", data_dir=data_dir, subsets=["test"], limit=3, device="cpu")
    assert prompts(out) == prompts(here)
    assert {text.rsplit(" ", 1)[0] for (text,) in answers(out).values()} == {"(64, 64) RGB"}
    (path,) = out.glob("results_*.json")
    assert json.loads(path.read_text())["config"]["model"] == "vllm-vlm"


class Counting:
    """Counts the rows that a model is really asked."""

    def __init__(self, model, monkeypatch):
        self.asked = 0
        answer = type(model).generate_until

        def counted(lm, requests, *rest):
            self.asked += len(requests)
            return answer(lm, requests, *rest)

        monkeypatch.setattr(type(model), "generate_until", counted)


def test_a_cache_holds_what_was_answered_before_the_end_came(lm, data_dir, tmp_path, monkeypatch):
    options = {"data_dir": data_dir, "subsets": ["forget", "holdout"], "cache": tmp_path / "answers.db"}
    counting = Counting(lm, monkeypatch)
    first = asking.run(lm, "privacy", out=tmp_path / "one", **{**options, "subsets": ["forget"]})
    forget = counting.asked
    whole = asking.run(lm, "privacy", out=tmp_path / "two", **options)
    holdout = counting.asked - forget
    assert forget > 0 and holdout > 0
    again = asking.run(lm, "privacy", out=tmp_path / "three", **options)
    assert counting.asked == forget + holdout
    assert answers(again) == answers(whole) and answers(first).items() <= answers(whole).items()
    without = asking.run(lm, "privacy", out=tmp_path / "four", **{**options, "cache": None})
    assert answers(without) == answers(whole)


def test_a_file_that_is_no_cache_is_refused(lm, data_dir, tmp_path):
    (tmp_path / "notes.db").write_text("not a database, but long enough to be read as one" * 30)
    with pytest.raises(UserError, match="can't be opened"):
        asking.run(
            lm, "privacy", out=tmp_path / "e", data_dir=data_dir, subsets=["forget"], cache=tmp_path / "notes.db"
        )
