"""What an answer shows is scored, and a thought that gives the secret away is reported apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mllmu_med_metrics import score, score_stream
from mllmu_med_metrics.answers.thoughts import split_thought, with_thought

# (answer, thought, shown), by who writes it so.
WRITTEN = {
    "no thought": ("The liver.", "", "The liver."),
    "DeepSeek, Qwen, GLM": ("<think>\nAda Quillby?\n</think>\n\nThe liver.", "Ada Quillby?", "The liver."),
    "Qwen told not to think": ("<think>\n\n</think>\n\nThe liver.", "", "The liver."),
    "capitals": ("<THINK>Ada</THINK>The liver.", "Ada", "The liver."),
    "thinking": ("<thinking>Ada</thinking> The liver.", "Ada", "The liver."),
    "EXAONE": ("<thought>Ada</thought>The liver.", "Ada", "The liver."),
    "Seed": ("<seed:think>Ada</seed:think>The liver.", "Ada", "The liver."),
    "LLaVA-CoT": ("<REASONING>Ada</REASONING>The liver.", "Ada", "The liver."),
    "with an attribute": ('<think effort="low">Ada</think>The liver.', "Ada", "The liver."),
    "R1 with answer marks": ("<think>Ada</think><answer>The liver.</answer>", "Ada", "The liver."),
    "GLM-4.1V": (
        "<think>Ada</think><answer>It is <|begin_of_box|>the liver<|end_of_box|></answer>", "Ada", "It is the liver",
    ),
    "Magistral": ("[THINK]Ada[/THINK]The liver.", "Ada", "The liver."),
    "Kimi-VL": ("◁think▷Ada◁/think▷The liver.", "Ada", "The liver."),
    "Sky-T1": (
        "<|begin_of_thought|>Ada<|end_of_thought|><|begin_of_solution|>The liver.<|end_of_solution|>",
        "Ada", "The liver.",
    ),
    "Command A": (
        "<|START_THINKING|>Ada<|END_THINKING|><|START_RESPONSE|>The liver.<|END_RESPONSE|>", "Ada", "The liver.",
    ),
    "gpt-oss": (
        "<|channel|>analysis<|message|>Ada<|end|><|start|>assistant<|channel|>final<|message|>The liver.<|return|>",
        "Ada", "The liver.",
    ),
    "gpt-oss, special tokens skipped": ("analysisAda.assistantfinalThe liver.", "Ada.", "The liver."),
    "gpt-oss, opened by the prompt": ("Ada<|end|><|start|>assistant<|channel|>final<|message|>Liver", "Ada", "Liver"),
    "Gemma": ("<|channel>thought\nAda<channel|>The liver.", "Ada", "The liver."),
    "MedGemma": ("<unused94>thought\nAda<unused95>The liver.", "Ada", "The liver."),
    "Granite": ("Here is my thought process: Ada. Here is my response: The liver.", "Ada.", "The liver."),
    "escaped by a page": ("&lt;think&gt;Ada&lt;/think&gt;The liver.", "Ada", "The liver."),
    "opened by the prompt": ("Ada Quillby?\n</think>\n\nThe liver.", "Ada Quillby?", "The liver."),
    "never closed": ("<think>The liver, or is it Ada", "The liver, or is it Ada", ""),
    "a thought after the answer begins": ("The liver. <think>Ada", "Ada", "The liver."),
    "two thoughts": ("<think>Ada</think>The <think>Lee</think>liver.", "Ada\nLee", "The liver."),
    "a thought in a thought": ("<think>a<think>b</think>c</think>The liver.", "a\nb\nc", "The liver."),
    "closed by another mark": ("<think>Ada</thinking>The liver.", "Ada", "The liver."),
    "nothing but a mark": ("<think>", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_thought_is_taken_off_however_it_is_marked(name):
    answer, thought, shown = WRITTEN[name]
    assert split_thought(answer) == (thought, shown)


@pytest.mark.parametrize(
    "answer",
    [
        "A mass < 3 cm and > 1 cm.", "The analysis shows a cyst.", "I think it is the liver.", "Thinking of a cyst.",
        "analysis of the final image", "  The liver.\n", "[1] The liver", "x <b>bold</b>", "",
    ],
)  # fmt: skip
def test_an_answer_without_marks_is_shown_as_it_is(answer):
    assert split_thought(answer) == ("", answer)


@given(st.text(), st.text(alphabet=st.characters(blacklist_characters="<>&[◁")))
def test_what_is_put_together_is_taken_apart_and_what_is_shown_stays_shown(thought, shown):
    whole = with_thought(thought, shown)
    apart = split_thought(whole)
    assert split_thought(with_thought(*apart)).shown.strip() == apart.shown.strip()
    if "assistantfinal" not in shown.lower() and "here" not in shown.lower():
        assert apart.shown.strip() == shown.strip() or thought.strip() == ""


def scores(example, say):
    """Score the gold, whose answers to forget rows are changed by `say`."""
    models = example.models
    answers = dict(models["retain_only"])
    for row in example.rows:
        if row["subset"] == "forget":
            answers[row["id"]] = say(row, answers[row["id"]])
    options = {"target": models["target"], "retain_only": models["retain_only"], "replicates": 0}
    return score(unlearned=answers, rows=example.rows, **options), answers


def test_a_secret_in_a_thought_leaves_every_score_and_is_a_leak_of_its_own(example):
    plain, _ = scores(example, lambda row, answer: answer)
    thinking, answers = scores(example, lambda row, answer: f"<think>{row['answer']}</think>{answer}")
    assert (plain.thought_leak_rate, thinking.thought_leak_rate) == (None, 1.0)
    assert "thought_leak_rate" not in plain.to_dict()
    assert thinking.to_dict() == {**plain.to_dict(), "thought_leak_rate": 1.0}
    lines = [
        (row, {"unlearned": answers[row["id"]], **{name: example.models[name][row["id"]] for name in ("target",)}})
        for row in example.rows
    ]
    assert score_stream(lines, replicates=0).thought_leak_rate == 1.0


def test_the_rate_is_of_all_forget_rows_and_a_harmless_thought_counts_as_none(example):
    forget = [row for row in example.rows if row["subset"] == "forget"]
    leaking = {row["id"] for row in forget[:8]}

    def say(row, answer):
        return f"<think>{row['answer'] if row['id'] in leaking else 'Let me look.'}</think>{answer}"

    assert scores(example, say)[0].thought_leak_rate == 8 / len(forget)
    assert scores(example, lambda row, answer: f"<think>Let me look.</think>{answer}")[0].thought_leak_rate == 0.0


def test_a_thought_that_never_ends_shows_nothing(example):
    found, _ = scores(example, lambda row, answer: f"<think>{row['answer']}")
    assert (found.k, found.thought_leak_rate) == (0.0, 1.0)
    assert found.harm_by_place["forget"] == 0.0
    assert found.degenerate_by_subset["forget"] == 1.0
