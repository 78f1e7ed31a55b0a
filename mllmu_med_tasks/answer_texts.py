"""The text of one answer as it enters the score, the same whichever harness or server wrote it down."""

from mllmu_med_metrics.answers.thoughts import split_thought, with_thought


def first_line(answer: str) -> str:
    """Return an answer up to the first line break of what it shows; the thought before it stays whole."""
    thought, shown = split_thought(answer)
    line = shown.strip().split("\n")[0].rstrip("\r")
    return with_thought(thought, line)


def one_text(value: object) -> str:
    """Return the one text in a list, or a list of lists, of the same text; a text stands for itself.

    Harnesses write the answer to a row as a text, as a list of it, or as a list for each request of a list for each
    repetition. Raises :class:`TypeError` for anything else, and :class:`ValueError` for answers that differ.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise TypeError("the answer is not text")
    if not value:
        raise ValueError("the list of answers is empty")
    texts = list(dict.fromkeys(map(one_text, value)))
    if len(texts) > 1:
        raise ValueError(f"{len(texts)} different answers to one row")
    return texts[0]
