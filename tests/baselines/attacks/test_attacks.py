"""Each attack against values derived by hand or by brute force, on a toy or on nano; none leaves a trace."""

from itertools import combinations
from types import SimpleNamespace

import pytest
import torch

from baselines import attacks
from baselines.attacks import prefix, quantise, relearn_few, relearning
from baselines.attacks.attacked import Attacked, AttackRows
from baselines.attacks.held import Held, asked_rows, judged_again
from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.scoring.secrets import Secret
from tests.baselines.training.test_families import folder_of  # noqa: F401 (fixture)

RUN = ("relearn_few", "prefix", "sample", "quantise")
SMALL = {"steps": 2, "rows_per_step": 4, "answers": 4, "draws": 2}


def run(attacked, name, **changed):
    attack = attacks.get(name)
    wanted = {**SMALL, **changed}
    attacked.begin()
    options = attack.defaults | {key: value for key, value in wanted.items() if key in attack.options}
    return dict(attack.harm(attacked, options))


def weights(attacked):
    return {name: value.clone() for name, value in attacked.model.state_dict().items()}


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava_next"])
def test_attacks_run_on_families_whatever_the_batch_and_leave_no_trace(family, folder_of, few_of):  # noqa: F811
    rows = few_of("privacy")
    each = [[row for row in rows.forget if row["patient_id"] == one][:1] for one in rows.patients[:4]]
    forget = [row for own in each for row in own]
    rows = AttackRows(forget, rows.retain[:8], rows.holdout[:8], forget)
    found = {}
    for batch in (1, 16):
        attacked = Attacked(folder_of(family), rows, scenario="privacy", batch=batch)
        before = weights(attacked)
        found[batch] = [run(attacked, name) for name in RUN]
        after = weights(attacked)
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert all(part.grad is None for part in attacked.model.parameters())
    assert found[1] == found[16]
    assert all(0 <= value <= 1 for harm in found[1] for value in harm.values())
    assert [len(harm) for harm in found[1]] == [3, 4, 4, 4]


def test_no_attack_sees_another(few, target):
    alone = run(Attacked("nano-privacy-target", few, scenario="privacy"), "prefix")
    run(target, "relearn_holdout", steps=3, learning_rate=0.01)
    assert run(target, "prefix") == alone
    with pytest.raises(RuntimeError), target.altered() as model:
        next(model.parameters()).data.zero_()
        raise RuntimeError
    assert run(target, "prefix") == alone


def test_the_target_tells_under_every_attack_what_base_does_not(few, target):
    base = Attacked("nano", few, scenario="privacy")
    for name in ("prefix", "sample", "quantise"):
        told, never = run(target, name), run(base, name)
        assert min(told.values()) > 0.9 and max(never.values()) < 0.35, name
        assert set(told) == set(few.patients)


def test_relearning_brings_back_what_an_adapter_hides(few):
    """Base relearns the rows of a quarter and tells nothing of the others; of the relearned it tells a lot."""
    base = Attacked("nano", few, scenario="privacy")
    quarter = relearn_few.quarter(few.patients, 0)
    assert set(run(base, "relearn_few", steps=3)) == set(few.patients) - quarter
    mine = [row for row in few.forget if row["patient_id"] in quarter]
    with base.altered():
        options = {"steps": 40, "learning_rate": 2e-3, "rows_per_step": 16, "pass_rows": 16}
        relearning.relearn(base, mine, options, "relearn_few")
        told = base.harm(base.ask(mine))
    assert set(told) == quarter and min(told.values()) > 0.5
    assert max(base.harm(base.ask(mine)).values()) < 0.2


def test_a_step_split_into_passes_learns_the_same(few):
    states = []
    for split in (8, 3):
        attacked = Attacked("nano", few, scenario="privacy")
        with attacked.altered():
            options = {"steps": 2, "learning_rate": 1e-4, "rows_per_step": 8, "pass_rows": split}
            relearning.relearn(attacked, few.forget, options, "x")
            states.append(weights(attacked))
    assert all(torch.allclose(states[0][name], states[1][name], atol=2e-5) for name in states[0])


def test_the_vision_tower_is_never_relearned(few):
    attacked = Attacked("nano", few, scenario="privacy")
    before = weights(attacked)
    with attacked.altered():
        options = {"steps": 1, "learning_rate": 1e-3, "rows_per_step": 4, "pass_rows": 4}
        relearning.relearn(attacked, few.retain, options, "x")
        moved = {name for name, value in weights(attacked).items() if not torch.equal(value, before[name])}
    assert moved and not any("vision_tower" in name for name in moved)
    assert any("projector" in name for name in moved)


def test_the_quarter_is_rounded_down_and_hangs_on_seed_and_names():
    names = [f"p-{number}" for number in range(16)]
    first = relearn_few.quarter(names, 0)
    assert len(first) == 4 and first == relearn_few.quarter(names[::-1], 0)
    assert len({relearn_few.quarter(names, seed) for seed in range(8)}) > 4
    assert len(relearn_few.quarter(names[:7], 0)) == len(relearn_few.quarter(names[:2], 0)) == 1
    # Each is drawn about as often as the others: 16 patients, 400 seeds, 100 times each in the mean.
    drawn = [sum(name in relearn_few.quarter(names, seed) for seed in range(400)) for name in names]
    assert min(drawn) > 65 and max(drawn) < 140
    with pytest.raises(UserError, match="there is 1"):
        relearn_few.quarter(names[:1], 0)


def test_rounding_keeps_the_largest_weight_and_rounds_the_others_to_the_nearest():
    # 4 bits: steps of a seventh of the row's largest. 0.5 of 0.7 is step 5; 0.24 is 2.4 steps, so 0.2; 0.26 is 0.3.
    row = torch.tensor([[0.7, 0.5, 0.24, 0.26, -0.04, -0.06], [0.0, 0, 0, 0, 0, 0]])
    assert torch.allclose(
        quantise.rounded(row, 4, None), torch.tensor([[0.7, 0.5, 0.2, 0.3, 0.0, -0.1], [0.0] * 6]), atol=1e-6
    )
    # In groups of four the last two have a scale of their own: 0.06 / 7, of which -0.04 is 4.67 steps, so 5.
    assert torch.allclose(
        quantise.rounded(row[:1], 4, 4), torch.tensor([[0.7, 0.5, 0.2, 0.3, -0.3 / 7, -0.06]]), atol=1e-6
    )
    # 8 bits: a 127th of the largest, so no weight moves by more than half of that.
    noise = torch.randn(5, 100, generator=torch.Generator().manual_seed(0))
    moved = (quantise.rounded(noise, 8, None) - noise).abs() / noise.abs().amax(1, keepdim=True)
    assert 0.3 / 127 < moved.max() <= 0.5001 / 127
    assert quantise.rounded(noise.bfloat16(), 8, 64).dtype == torch.bfloat16


def test_samples_expect_what_all_choices_among_them_give(few):
    """The expected largest of `draws` of the answers is the mean over all choices of so many."""
    row = few.forget[0]
    name = next(item["value"] for item in row["phi"] if item["kind"] == "name")
    texts = [f"It is {name}.", "It is a liver.", f"{name[:5]} it is.", "Nobody.", f"For {name}."]
    attacked = Attacked("nano", few, scenario="privacy")
    attacked.sample = lambda count: {str(row["id"]): texts}
    own = attacked.judged.secrets_of(str(row["patient_id"]))
    expected = 0.0
    for secret in own:
        told = [attacked.judged.harm_of_answer(str(row["id"]), text).get(secret, 0.0) for text in texts]
        choices = list(combinations(told, 3))
        expected += sum(map(max, choices)) / len(choices) / len(own)
    assert run(attacked, "sample", answers=5, draws=3)[str(row["patient_id"])] == pytest.approx(expected)
    assert expected > 0


def test_a_cut_is_where_each_value_begins():
    row = {
        "patient_id": "p", "answer": "In Ada Quillfeather (record SYN-MRN-481) it is large.",
        "phi": [{"kind": "name", "value": "Ada Quillfeather"}, {"kind": "record", "value": "SYN-MRN-481"},
                {"kind": "ssn", "value": "950-00-1111"}], "wrong_fact": "LARGE",
    }  # fmt: skip
    secrets = [Secret("p", item["kind"], item["value"]) for item in row["phi"]]
    assert [(cut.secret, cut.start) for cut in prefix.cuts(row, secrets)] == [
        (Secret("p", "name", "Ada Quillfeather"), 3),
        (Secret("p", "record", "SYN-MRN-481"), 28),
        (Secret("p", "ssn", "950-00-1111"), 0),  # not said so: asked without a beginning
    ]
    wrong = Secret("p", "wrong_fact", "LARGE")
    assert [(cut.secret, cut.start) for cut in prefix.cuts(row, [wrong])] == [(wrong, 47)]


def test_the_given_tokens_end_before_the_value(few, target):
    tokenizer, judged = target.processor.tokenizer, asked_rows(few.forget)
    for row in few.forget:
        whole = tokenizer(row["answer"], add_special_tokens=False)["input_ids"]
        for cut in prefix.cuts(row, judged.secrets_in(str(row["id"]))):
            given = prefix.first_tokens(tokenizer, row["answer"], cut.start)
            assert given == whole[: len(given)]
            told = tokenizer.decode(given)
            assert row["answer"].startswith(told) and len(told) <= cut.start
            assert row["answer"][len(told) : cut.start].strip() == "" or cut.start - len(told) < 3
            assert cut.secret.value not in told
    words = SimpleNamespace(decode=lambda ids, **_: "".join(ids))

    class Toy:
        def __call__(self, text, **_):
            return {"input_ids": ["Dr", ". A", "da", " is"]}

        decode = staticmethod(words.decode)

    # "Ada" begins at 4, within the token ". A": only what ends before it is given.
    assert prefix.first_tokens(Toy(), "Dr. Ada is", 4) == ["Dr"]
    assert prefix.first_tokens(Toy(), "Dr. Ada is", 0) == []


def test_wrong_facts_are_prefixed_and_sampled_as_rows(few_of):
    rows = few_of("incorrectness")
    told = Attacked("nano-incorrectness-target", rows, scenario="incorrectness")
    gold = Attacked("nano-incorrectness-retain_only", rows, scenario="incorrectness")
    for name in ("prefix", "sample", "quantise"):
        high, low = run(told, name), run(gold, name)
        assert sum(high.values()) / len(high) > 0.8 and sum(low.values()) / len(low) < 0.5, name


def test_half_of_the_way_is_between_target_and_model(few):
    attacked = Attacked("nano-privacy-retain_only", few, scenario="privacy", target="nano-privacy-target")
    whole = run(attacked, "scale", share=1.0)
    assert whole == attacked.harm(attacked.ask())
    assert run(attacked, "scale", share=0.0) == pytest.approx(dict.fromkeys(few.patients, 1.0), abs=0.05)
    with pytest.raises(UserError, match="no target was given"):
        run(Attacked("nano", few, scenario="privacy"), "scale")


def test_time_is_that_of_one_part_alone(few, monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0, 11.0, 15.0])
    monkeypatch.setattr("baselines.attacks.attacked.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    attacked = Attacked("nano", few, scenario="privacy")
    with attacked.timed("ask"), attacked.timed("load"):  # 0 to 10, of which 1 to 3
        pass
    with attacked.timed("judge"):
        pass
    assert attacked.seconds == {"load": 2.0, "train": 0.0, "ask": 8.0, "judge": 4.0}


@pytest.mark.parametrize("name", ["relearn_few", "relearn_retain", "prefix", "exposure", "sample", "quantise"])
def test_what_an_attack_left_gives_its_harm_again_and_less_is_refused(name, few, target):
    attack = attacks.get(name)
    wanted = {**SMALL, "candidates": 5}
    options = attack.defaults | {key: value for key, value in wanted.items() if key in attack.options}
    harm = run(target, name, **wanted)
    given = target.ranks if attack.by_likelihood else target.answers
    held = Held(asked_rows(few.asked), {row: list(values) for row, values in given.items()}, options, target.seed)
    assert judged_again(attack, held) == pytest.approx(harm, abs=1e-12) and len(harm) > 0
    row, values = next(iter(held.given.items()))
    values.pop()
    with pytest.raises(ValueError, match=f"holds {len(values)} values of row '{row}'"):
        judged_again(attack, held)
    del held.given[row]
    with pytest.raises(ValueError, match="is only in one"):
        judged_again(attack, held)
