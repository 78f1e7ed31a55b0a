"""The prompt text: one image, then the question, and nothing else.

Training and every harness build their prompts from here, so the token ids a model learns are the ones it is asked.
"""

PLACEHOLDER = "<image>"


def prompt(question: str) -> str:
    """Return the prompt of a question in plain form: the image placeholder directly followed by the question."""
    return PLACEHOLDER + question


def messages(question: str) -> list[dict[str, object]]:
    """Return the prompt of a question in chat form, as a processor's ``apply_chat_template`` takes it."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
