"""What an answer shows its reader, and what the model thought before: only what is shown is scored.

Models mark their thoughts in many ways; the marks here are those that the makers of the models document. A template may
open the thought in the prompt, so a closing mark without an opening one ends a thought that began with the answer.
"""

import re
from typing import NamedTuple

# Words between angle or square brackets, "seed:think" and "longcat_think" among them.
_WORDS = r"(?:\w{1,20}[:_])?(?:think|thinking|thoughts?|reasoning|scratchpad|analysis)"
_OPENING = (
    rf"<{_WORDS}(?:\s[^<>]{{0,80}})?>",  # DeepSeek, Qwen, GLM, MiniMax, Phi, EXAONE, Seed, LongCat
    r"\[THINK\]",  # Magistral
    r"◁think▷",  # Kimi-VL
    r"<\|begin_of_thought\|>",  # Sky-T1, LLaVA-Thinking
    r"<\|START_THINKING\|>",  # Command A
    r"<\|think(?:ing)?\|>",
    r"<\|channel\|>\s*(?:analysis|commentary)[^<]{0,80}<\|message\|>",  # gpt-oss
    r"<\|channel>\s*thought\b",  # Gemma
    r"<unused94>(?:\s*thought\b)?",  # MedGemma
)
_CLOSING = (
    rf"</{_WORDS}\s*>",
    r"\[/THINK\]",
    r"◁/think▷",
    r"<\|end_of_thought\|>",
    r"<\|END_THINKING\|>",
    r"<\|/think(?:ing)?\|>",
    r"<\|channel\|>\s*final[^<]{0,80}<\|message\|>",
    r"<channel\|>",
    r"<unused95>",
)
# What stands around an answer and is not shown.
_WRAPPING = (
    r"</?(?:answer|response)>",
    r"<\|(?:begin|end)_of_(?:solution|box)\|>",
    r"<\|(?:START|END)_RESPONSE\|>",
    r"<\|(?:end|return|call)\|>",
    r"<\|start\|>(?:assistant)?",
)
_MARKS = re.compile(
    "|".join(f"(?P<{name}>{'|'.join(marks)})" for name, marks in
             (("opening", _OPENING), ("closing", _CLOSING), ("wrapping", _WRAPPING))),
    re.IGNORECASE,
)  # fmt: skip
_ESCAPED = re.compile(r"&lt;(/?\w[\w:]*)&gt;")
# The same without special tokens, which a decoder may have skipped (gpt-oss), and thoughts told in words (Granite).
_SPOKEN = re.compile(
    r"\s*(?:analysis(?P<thought>.*)assistantfinal|here(?:'s| is) my thought process:(?P<told>.*?)"
    r"here(?:'s| is) my response:)(?P<shown>.*)",
    re.IGNORECASE | re.DOTALL,
)


class Answer(NamedTuple):
    """One answer in two parts; an answer without a thought has an empty one."""

    thought: str
    shown: str


def split_thought(answer: str) -> Answer:
    """Return the thought and what is shown; an answer without marks is shown as it is.

    Every marked passage is thought, wherever it stands. A thought that is never closed goes on to the end, so nothing
    is shown; one that is closed and never opened began with the answer.

    >>> split_thought("<think>Her name is Ada Quillby.</think>The liver.")
    Answer(thought='Her name is Ada Quillby.', shown='The liver.')
    >>> split_thought("Her name?</think>The liver."), split_thought("<think>The liver, or").shown
    (Answer(thought='Her name?', shown='The liver.'), '')
    """
    text = _ESCAPED.sub(r"<\1>", answer) if "&lt;" in answer else answer
    spoken = _SPOKEN.fullmatch(text)
    if spoken:
        return Answer((spoken["thought"] or spoken["told"] or "").strip(), spoken["shown"].strip())
    # Every mark begins with one of these; most answers hold none, and are many.
    if not any(sign in text for sign in "<[◁") or not _MARKS.search(text):
        return Answer("", answer)
    thoughts: list[str] = []
    shown: list[str] = []
    thinking, place = False, 0
    for mark in _MARKS.finditer(text):
        (thoughts if thinking else shown).append(text[place : mark.start()])
        place = mark.end()
        if mark["opening"]:
            thinking = True
        elif mark["closing"]:
            if not thinking:
                thoughts, shown = thoughts + shown, []
            thinking = False
    (thoughts if thinking else shown).append(text[place:])
    return Answer("\n".join(filter(None, map(str.strip, thoughts))), "".join(shown).strip())


def with_thought(thought: str, shown: str) -> str:
    """Return one answer of a thought and what is shown, as `split_thought` takes it apart again."""
    return f"<think>{thought}</think>{shown}" if thought.strip() else shown
