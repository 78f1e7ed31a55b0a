from mllmu_med_tasks.prompts import PLACEHOLDER, messages, prompt


def test_a_prompt_is_one_image_and_the_question_and_nothing_else():
    assert prompt("Which organ is shown?") == "<image>Which organ is shown?"
    assert prompt("a\nb").count(PLACEHOLDER) == 1


def test_the_chat_form_says_the_same():
    (turn,) = messages("Which organ is shown?")
    assert turn == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "Which organ is shown?"}],
    }


def test_lm_eval_makes_the_same_chat_form_of_the_plain_prompt(lm):
    shown = []
    render = lm.processor.apply_chat_template
    lm.processor.apply_chat_template = lambda history, **_: shown.append(history) or ""
    try:
        lm.apply_chat_template([{"role": "user", "content": prompt("Which organ is shown?")}])
    finally:
        lm.processor.apply_chat_template = render
    assert shown == [messages("Which organ is shown?")]
