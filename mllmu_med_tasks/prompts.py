"""The prompt text: one image, then the question, and nothing else.

Training and every harness build their prompts from here, so the token ids a model learns are the ones it is asked.
"""

from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.record import image_placeholders

PLACEHOLDER = "<image>"


def check_texts(name: str, *texts: str) -> None:
    """Raise ``UserError`` where a text of a row holds a placeholder of an image: a prompt has one, of its own image."""
    for text in texts:
        if found := image_placeholders(text):
            raise UserError(
                f"{name} holds '{found[0]}', which a model takes for an image, in '{text[:80]}'. Build the data set "
                "again: a build takes such words off."
            )


def prompt(question: str) -> str:
    """Return the prompt of a question in plain form: the image placeholder directly followed by the question."""
    return PLACEHOLDER + question


def messages(question: str) -> list[dict[str, object]]:
    """Return the prompt of a question in chat form, as a processor's ``apply_chat_template`` takes it."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
