"""Whatever a model ships in its generation settings, it is asked greedily: the same weights give the same answers."""

import json
import re
import shutil

import pytest
import torch
import yaml

import baselines.nano
from baselines import cli
from mllmu_med_dataset.errors import UserError
from mllmu_med_tasks import backends, decoding, harness, scores
from mllmu_med_tasks.prompts import prompt
from tests import asking
from tests.mllmu_med_tasks import fabricated

NANO = baselines.nano.MODEL
# Each changes what `generate` does of itself: the answer, its length, or whether there is one.
SHIPPED = {
    "repetition_penalty": {"repetition_penalty": 1.3},
    "a small repetition penalty, as Qwen2.5-VL ships": {"repetition_penalty": 1.05, "do_sample": True, "top_k": 1},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 2},
    "encoder_repetition_penalty": {"encoder_repetition_penalty": 1.5},
    "sampling": {"do_sample": True, "temperature": 3.0, "top_k": 0, "top_p": 0.9, "typical_p": 0.9, "min_p": 0.01},
    "beams": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
    "group beams": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    "contrastive search": {"penalty_alpha": 0.6, "top_k": 4},
    "guidance": {"guidance_scale": 2.0},
    "max_new_tokens": {"max_new_tokens": 3},
    "min_new_tokens": {"min_new_tokens": 20},
    "max_time": {"max_time": 0.0001},
    "decaying length": {"exponential_decay_length_penalty": [2, 3.0]},
    "stop strings": {"stop_strings": ["e", " "]},
    "forced end": {"forced_eos_token_id": 2},
    "watermark": {"watermarking_config": {"bias": 5.0}},
    "layers in contrast": {"dola_layers": "low"},
    "prompt lookup": {"prompt_lookup_num_tokens": 3},
    "token healing": {"token_healing": True},
    "another form of output": {"return_dict_in_generate": True, "output_scores": True},
}
# The token that comes first is what these forbid.
FORBIDDEN = ("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias")


@pytest.fixture(scope="module")
def shipping(tiny_model, tmp_path_factory):
    """Return the tiny model with further generation settings, or other ones, in its folder."""

    def make(more, **files):
        folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("shipping") / "model")
        path = folder / decoding.SETTINGS
        path.write_text(json.dumps(json.loads(path.read_text()) | more) if isinstance(more, dict) else more)
        for name, text in files.items():
            (folder / name.replace("_json", ".json")).write_text(text)
        return folder

    return make


def asked(folder, **settings):
    """Return a model of the folder and a function that lets it generate 24 tokens."""
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder)
    picture = Image.new("RGB", (64, 64), (90, 20, 30))
    inputs = AutoProcessor.from_pretrained(folder)(
        text=[prompt("What organ is shown?")], images=[picture], return_tensors="pt"
    )
    length = inputs["input_ids"].shape[1]

    def answer(**more):
        with torch.inference_mode():
            return model.generate(**inputs, max_length=length + 24, use_cache=True, **more)[0, length:].tolist()

    return model, answer


@pytest.fixture(scope="module")
def clean(tiny_model):
    return asked(tiny_model)[1](do_sample=False)


def task_settings():
    """The generation settings of the task files, as lm-eval hands them to `generate`."""
    text = (harness.tasks_path() / "_mllmu_med").read_text().replace("!function ", "")
    settings = yaml.safe_load(text)["generation_kwargs"]
    return {name: value for name, value in settings.items() if name not in ("until", "max_gen_toks", "temperature")}


def cases(clean):
    first = clean[0]
    values = {"bad_words_ids": [[first]], "sequence_bias": [[[first], -10.0]]}
    return {**SHIPPED, **{name: {name: values.get(name, [first])} for name in FORBIDDEN}}


@pytest.mark.parametrize("name", [*SHIPPED, *FORBIDDEN])
def test_answers_are_those_of_a_clean_model_by_the_package_and_by_the_task_file_alone(shipping, clean, name):
    settings = cases(clean)[name]
    model, answer = asked(shipping(settings))
    own = model.generation_config
    with decoding.greedy(model) as aside:
        assert answer(do_sample=False) == clean
        assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (2, 0)
    assert model.generation_config is own
    meaningful = {key: value for key, value in settings.items() if value and not key.startswith("output_")}
    assert aside.keys() == meaningful.keys()
    assert answer(**task_settings()) == clean


@pytest.mark.parametrize("name", ["repetition_penalty", "no_repeat_ngram_size", "beams", "max_new_tokens"])
def test_the_settings_would_have_changed_the_answer(shipping, clean, name):
    assert asked(shipping(SHIPPED[name]))[1](do_sample=False) != clean


def test_settings_of_an_old_layout_in_the_configuration_are_put_aside_too(shipping, tiny_model, clean):
    config = json.loads((tiny_model / "config.json").read_text()) | {"repetition_penalty": 1.3}
    folder = shipping({}, config_json=json.dumps(config))
    (folder / decoding.SETTINGS).unlink()
    model, answer = asked(folder)
    assert answer(do_sample=False) != clean
    with decoding.greedy(model) as aside:
        assert answer(do_sample=False) == clean and aside == {"repetition_penalty": 1.3}


def test_the_task_file_makes_generate_say_nothing(shipping, caplog, recwarn):
    _, answer = asked(shipping(SHIPPED["sampling"]))
    recwarn.clear()
    caplog.clear()
    answer(**task_settings())
    assert not recwarn.list and not caplog.records


def texts(folder):
    return {
        sample["doc"]["id"]: sample["filtered_resps"]
        for path in folder.glob("samples_*.jsonl")
        for sample in map(json.loads, path.read_text().splitlines())
    }


@pytest.fixture(scope="module")
def answered(tiny_model, data_dir, tmp_path_factory):
    """Answers of the tiny model as it is to a few rows."""
    return texts(few(tiny_model, data_dir, tmp_path_factory.mktemp("clean") / "e"))


def few(model, data_dir, out, **options):
    options = {"subsets": ["forget"], "limit": 3, "device": "cpu", **options}
    return asking.run(model, "privacy", out=out, data_dir=data_dir, **options)


def test_an_evaluation_is_greedy_and_records_what_it_put_aside(shipping, answered, data_dir, tmp_path):
    out = few(shipping(SHIPPED["repetition_penalty"] | {"no_repeat_ngram_size": 2}), data_dir, tmp_path / "e")
    assert texts(out) == answered
    (path,) = out.glob("results_*.json")
    recorded = json.loads(path.read_text())["config"]["mllmu_med_decoding"]
    assert recorded == {
        "rule": decoding.GREEDY,
        "put_aside": {"no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
    }


def test_the_command_says_in_a_line_what_it_put_aside(shipping, tiny_model, data_dir, tmp_path, capsys):
    lines = []
    for number, folder in enumerate((shipping(SHIPPED["beams"]), tiny_model)):
        with pytest.raises(SystemExit) as ended:
            arguments = ("--model", folder, "--data", data_dir, "--out", tmp_path / str(number))
            cli.main(
                [
                    "evaluate",
                    *map(str, arguments),
                    "--scenario",
                    "privacy",
                    "--subsets",
                    "test",
                    "--limit",
                    "1",
                    "--json",
                ]
            )
        out, said = capsys.readouterr()
        lines.append([line for line in said.splitlines() if line.startswith("note:")])
        assert not ended.value.code and json.loads(out)["decoding"]["rule"] == decoding.GREEDY
    expected = "put aside of what the model ships in its generation settings: early_stopping true, length_penalty 2.0, "
    assert lines == [[f"note: answers are greedy; {expected}num_beams 3"], []]


def test_the_stock_model_of_lm_eval_answers_greedily_by_the_task_file(shipping, answered, data_dir):
    from lm_eval import simple_evaluate
    from lm_eval.models.hf_vlms import HFMultimodalLM
    from lm_eval.tasks import TaskManager

    metadata = {"mllmu_med_data_dir": str(data_dir)}
    manager = TaskManager(include_path=str(harness.tasks_path()), include_defaults=False, metadata=metadata)
    more = SHIPPED["repetition_penalty"] | {"num_beams": 2, "suppress_tokens": [305], "max_new_tokens": 2}
    model = HFMultimodalLM(str(shipping(more)), device="cpu", batch_size=3)
    found = simple_evaluate(
        model, tasks=["mllmu_med_privacy_forget"], task_manager=manager, apply_chat_template=True, bootstrap_iters=0,
        limit=3,
    )  # fmt: skip
    rows = found["samples"]["mllmu_med_privacy_forget"]
    assert {one["doc"]["id"]: one["filtered_resps"] for one in rows} == answered


def test_an_adapter_in_memory_is_asked_without_what_its_base_ships(shipping, clean):
    from peft import LoraConfig, get_peft_model

    model, answer = asked(shipping(SHIPPED["repetition_penalty"]))
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=r".*language_model.*\.q_proj"))
    with decoding.greedy(tuned) as aside:
        assert answer(do_sample=False) == clean and aside == {"repetition_penalty": 1.3}


@pytest.mark.parametrize("family", ["idefics3", "qwen2_5_vl"])
def test_families_ship_such_settings_and_are_asked_without(family, tmp_path, data_dir):
    from tests.families import FAMILIES, make_family

    assert family in FAMILIES
    plain = make_family(family, tmp_path / "plain")
    shipped = shutil.copytree(plain, tmp_path / "shipped")
    settings = json.loads((plain / decoding.SETTINGS).read_text())
    (shipped / decoding.SETTINGS).write_text(json.dumps(settings | {"repetition_penalty": 1.5, "bad_words_ids": [[9]]}))
    assert texts(few(plain, data_dir, tmp_path / "p")) == texts(few(shipped, data_dir, tmp_path / "s"))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "Expecting property name"),
        ("[1]", "it holds list, not an object"),
        ("null", "it holds NoneType"),
        ('"greedy"', "it holds str"),
        ("[" * 100_000, "maximum recursion|too deep|Expecting"),
        ({"eos_token_id": "</s>"}, "eos_token_id is '</s>'"),
        ({"eos_token_id": [2, "x"]}, "no id of a token"),
        ({"pad_token_id": 0.5}, "pad_token_id is 0.5"),
        ({"bos_token_id": True}, "bos_token_id is True"),
        ({"early_stopping": "soon"}, "early_stopping"),
        ({"max_new_tokens": -1}, "max_new_tokens"),
    ],
)
def test_settings_that_no_model_can_have_are_refused_in_a_paragraph(
    shipping, data_dir, tmp_path, capsys, content, part
):
    folder = shipping(content)
    with pytest.raises(SystemExit) as ended:
        arguments = ("--model", folder, "--data", data_dir, "--scenario", "privacy", "--out", tmp_path / "e")
        cli.main(["evaluate", *map(str, arguments)])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and re.search(part, said) and decoding.SETTINGS in said and "Traceback" not in said
    assert not (tmp_path / "e").exists()
    with pytest.raises(UserError, match=decoding.SETTINGS):
        backends.open_model(folder, device="cpu")


def test_settings_that_are_no_text_are_refused(shipping):
    folder = shipping({})
    (folder / decoding.SETTINGS).write_bytes(b"\xff\xfe{")
    with pytest.raises(UserError, match="can't be read"):
        decoding.shipped(folder)
    (folder / decoding.SETTINGS).unlink()
    (folder / decoding.SETTINGS).mkdir()
    with pytest.raises(UserError, match="can't be read"):
        decoding.shipped(folder)


def test_no_settings_and_unknown_ones_are_no_fault(shipping, tiny_model):
    assert decoding.shipped(tiny_model) == {}
    assert decoding.shipped(shipping({"voice": "calm", "temperature": 1.0, "top_k": 50})) == {"voice": "calm"}
    folder = shipping({})
    (folder / decoding.SETTINGS).unlink()
    assert decoding.shipped(folder) == {}


def test_a_server_is_told_every_setting_and_nothing_that_is_transformers_own():
    from mllmu_med_tasks.served_model import ServedModel

    model = ServedModel("m", base_url="http://127.0.0.1:9/v1/chat/completions")
    settings = {**task_settings(), "until": ["\n"], "max_gen_toks": 96, "temperature": 0.0}
    sent = model._create_payload([{"role": "user", "content": "x"}], generate=True, gen_kwargs=settings, eos=None)
    assert sent.items() >= (decoding.STANDARD | decoding.PENALTIES | {"max_tokens": 96}).items()
    assert sent["stop"][0] == "\n" and "num_beams" not in sent and "no_repeat_ngram_size" not in sent
    model.takes_penalties = False
    sent = model._create_payload([{"role": "user", "content": "x"}], generate=True, gen_kwargs=settings, eos=None)
    assert sent["temperature"] == 0 and not sent.keys() & decoding.PENALTIES.keys()


@pytest.mark.parametrize(
    ("status", "said", "takes"),
    [
        (200, "{}", True),
        (400, "Unrecognized request argument supplied: repetition_penalty", False),
        (422, "body.min_tokens: extra fields not permitted", False),
        (400, "this model needs an image", True),
        (500, "repetition_penalty", True),
    ],
)
def test_a_server_that_refuses_penalties_by_name_is_asked_without(monkeypatch, status, said, takes):
    import requests

    from mllmu_med_tasks.served_model import ServedModel

    class Reply:
        status_code, text = status, said

    monkeypatch.setattr(requests, "post", lambda *_, **__: Reply)
    model = ServedModel("m", base_url="http://127.0.0.1:9/v1/chat/completions")
    model.find_out_what_it_takes()
    assert model.takes_penalties is takes
    assert harness._decoded(model) == (decoding.SERVED if takes else decoding.SERVED_IN_PART)


def change(folder, **config):
    path = next(folder.glob("results_*.json"))
    document = json.loads(path.read_text())
    document["config"] |= config
    path.write_text(json.dumps(document))


@pytest.fixture
def pair(data_dir, tmp_path):
    """Results of a target and of an unlearned model, which can be compared."""
    return [fabricated.lm_eval(tmp_path / name, data_dir, fabricated.taught, model=name) for name in ("t", "u")]


def scored(capsys, target, unlearned, *more):
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", "--target", str(target), "--unlearned", str(unlearned), *map(str, more)])
    return int(ended.value.code or 0), capsys.readouterr().err


def test_two_ways_of_decoding_are_not_compared_and_an_unknown_one_is(pair, capsys):
    target, unlearned = pair
    change(target, mllmu_med_decoding={"rule": decoding.SERVED, "put_aside": {}})
    assert scored(capsys, target, unlearned)[0] == 0  # lm_eval itself records none
    change(unlearned, mllmu_med_decoding={"rule": decoding.SERVED_IN_PART, "put_aside": {}})
    code, said = scored(capsys, target, unlearned)
    assert code == 2 and "decoded differently" in said and decoding.SERVED_IN_PART in said
    change(unlearned, mllmu_med_decoding={"rule": decoding.SERVED, "put_aside": {"repetition_penalty": 1.3}})
    assert scored(capsys, target, unlearned)[0] == 0  # what was put aside decided nothing


def test_a_pair_asked_with_other_settings_is_refused_by_the_setting(pair, data_dir, tmp_path, capsys):
    target, unlearned = pair
    for path in unlearned.glob("samples_*.jsonl"):
        path.write_text(path.read_text().replace('"temperature": 0.0', '"temperature": 0.7, "repetition_penalty": 1.3'))
    expected = "repetition_penalty is 'not set' in one and 1.3 in the other, temperature is 0.0 in one and 0.7"
    for roles in ((target, unlearned), (target, target, "--retain-only", unlearned)):
        code, said = scored(capsys, *roles)
        assert code == 2 and "decoded differently" in said and expected in " ".join(said.split())


@pytest.mark.parametrize("recorded", ["greedy", {"rule": 3}, {"rule": ["greedy"]}, [1]])
def test_a_record_of_decoding_that_no_run_wrote_is_told(pair, capsys, recorded):
    target, unlearned = pair
    change(unlearned, mllmu_med_decoding=recorded)
    code, said = scored(capsys, target, unlearned)
    assert "Traceback" not in said and (code == 2 or recorded == "greedy")


def test_one_folder_does_not_mix_two_models_of_one_name(pair):
    target, unlearned = pair
    moved = next(unlearned.glob("samples_mllmu_med_privacy_test_*.jsonl"))
    for folder, task_is_kept, digest in ((target, False, "2-a"), (unlearned, True, "2-b")):
        path = next(folder.glob("results_*.json"))
        document = json.loads(path.read_text())
        document["results"] = {
            name: {} for name in document["results"] if (name == "mllmu_med_privacy_test") is task_is_kept
        }
        document["config"] |= {"model_args": {"pretrained": "m"}, "mllmu_med_model_digest": digest}
        path.write_text(json.dumps(document))
    later = "2026-01-02T00-00-00.000000"
    shutil.copy(moved, target / moved.name.replace(fabricated.DATE, later))
    shutil.copy(next(unlearned.glob("results_*.json")), target / f"results_{later}.json")
    with pytest.raises(UserError, match=r"mixes two models: .*2-a.*2-b"):
        scores.read(target)
