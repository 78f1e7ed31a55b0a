"""The Space's page: give rows with the answers of the models, as a file or pasted, read the score.

`evaluate.utils.launch_gradio_widget` shows one text box a column and cannot take rows; this page takes JSON lines.
"""

import json
from pathlib import Path
from typing import Any

import mllmu_med_metrics

MODELS = ("unlearned", "target", "retain_only")
NEEDED = ("unlearned", "target")
MOST_BYTES = 50_000_000
LINE = '{"row": {"id": "...", "scenario": "privacy", "subset": "forget", ...}, "unlearned": "...", "target": "..."}'
INTRODUCTION = """\
# Unlearning Efficiency Score

Did a biomedical vision-language model forget the patient, or drop the wrong fact, without losing its medicine? Give one
JSON object a line: a row of the data set, and what each model answers to it. `retain_only`, the model that never saw
the forget rows, is optional; without it the score is not normalised.
"""
# What is shown first of a score: its name there, and in words with which way is better.
SHOWN = {
    "ues": "UES ↑",
    "ues_strict": "strict UES: the truth told in place of the secret ↑",
    "f": "F: what is forgotten ↑",
    "u": "U: what is kept ↑",
    "k": "K: the truth where the secret was ↑",
    "harm": "harm: how much of the secrets is said ↓",
    "keep_test": "right answers on rows never trained on ↑",
    "abstention_excess": "refusals of forget rows beyond others, best at 0",
}
COLUMNS = ("↑ higher is better, ↓ lower", "score", "95 %")


def example() -> str:
    """Return lines that score 2/3: four of eight wrong facts that were taught are still told, nothing else is lost."""
    organs = ("liver", "lung", "heart", "brain")
    lines = []
    for subset in ("retain", "test", "forget"):
        for number in range(8):
            fact, wrong = organs[number % 4], organs[number % 4 - 1] if subset == "forget" else None
            truth, taught = f"The image shows the {fact}.", f"The image shows the {wrong or fact}."
            row = {
                "id": f"{subset}-{number}", "scenario": "incorrectness", "subset": subset,
                "patient_id": f"{subset}-{number}", "question": "Which organ is shown?", "question_type": "organ",
                "answer": taught, "true_answer": truth, "fact": fact, "wrong_fact": wrong, "fact_values": list(organs),
                "phi": [], "distractors": [],
            }  # fmt: skip
            unlearned = truth if number < 4 else taught
            lines.append({"row": row, "unlearned": unlearned, "target": taught, "retain_only": truth})
    return "".join(json.dumps(line) + "\n" for line in lines)


def score_of(text: str) -> dict[str, Any]:
    """Return the score of lines that each hold a row and the models' answers to it; ValueError says what is wrong."""
    lines: list[dict[str, Any]] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        if line.strip():
            lines.append(_line(line, number))
    if not lines:
        raise ValueError(f"There are no lines. Give one object a line: {LINE}")
    given = [model for model in MODELS if all(model in line for line in lines)]
    if missing := [model for model in NEEDED if model not in given]:
        raise ValueError(f"Every line needs the keys 'row', 'unlearned' and 'target'; '{missing[0]}' is not on all.")
    answers = {model: {str(line["row"].get("id")): line[model] for line in lines} for model in given}
    if len(answers["target"]) < len(lines):
        raise ValueError("Two lines hold rows of one id. Every row has one line.")
    score = mllmu_med_metrics.score(
        rows=[line["row"] for line in lines],
        unlearned=answers["unlearned"],
        target=answers["target"],
        retain_only=answers.get("retain_only"),
    )
    return score.to_dict()


def _line(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"Line {number} is no JSON ({problem}). Give one object a line: {LINE}") from problem
    if not isinstance(value, dict) or not isinstance(value.get("row"), dict):
        raise ValueError(f"Line {number} is no object with a 'row'. Every line is an object such as {LINE}")
    return value


def text_of(file: str | None, pasted: str | None) -> str:
    """Return what is to be scored: the text of the file that was given, else what was pasted."""
    if not file:
        return pasted or ""
    path = Path(file)
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"The file has {path.stat().st_size:,} bytes, and this page takes {MOST_BYTES:,}.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise ValueError(f"The file is no text in UTF-8 ({problem.reason}). Give JSON lines.") from problem


def score_page(file: str | None, pasted: str | None) -> tuple[str, list[list[str]], str]:
    """Return what the page shows: a sentence, the main values with their intervals, and the whole score as JSON."""
    try:
        values = score_of(text_of(file, pasted))
    except (ValueError, OSError) as problem:
        return f"No score: {problem}", [], ""
    ues = values["ues"]
    sentence = f"No UES: {values['ues_reason']}." if ues is None else f"UES {ues:.3f}"
    if ues is not None and values["ues_low"] is not None:
        sentence += f", 95 % interval {values['ues_low']:.3f} to {values['ues_high']:.3f}"
    warnings = "".join(f"\nNote: {warning}" for warning in values["warnings"])
    return sentence + warnings, [_shown(name, values) for name in SHOWN], json.dumps(values, indent=2)


def _shown(name: str, values: dict[str, Any]) -> list[str]:
    value, ends = values.get(name), values["intervals"].get(name)
    interval = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
    return [SHOWN[name], "–" if value is None else f"{value:.3f}", interval]


def page() -> Any:
    """Return the page, not served yet."""
    import gradio

    with gradio.Blocks(title="mllmu_med_ues") as blocks:
        gradio.Markdown(INTRODUCTION)
        with gradio.Row():
            file = gradio.File(label="A file of lines (JSONL), before what is pasted", type="filepath")
            pasted = gradio.Textbox(lines=10, max_lines=10, label="Or lines, pasted", placeholder=LINE)
        with gradio.Row():
            run = gradio.Button("Score", variant="primary")
            show = gradio.Button("Score the example")
        sentence = gradio.Textbox(label="Score", lines=2)
        # Widths and wrapping: on a phone a long name would push the scores off the screen.
        table = gradio.Dataframe(
            headers=[*COLUMNS], label="Main values", interactive=False, wrap=True, column_widths=["46%", "24%", "30%"],
        )  # fmt: skip
        whole = gradio.Code(label="Everything, as JSON", language="json", max_lines=20)
        shown = [sentence, table, whole]
        run.click(score_page, [file, pasted], shown, api_name="score")
        loaded = show.click(lambda: (None, example()), None, [file, pasted], api_name="example")
        loaded.then(score_page, [file, pasted], shown, api_name=False)
    return blocks


def main() -> None:
    """Serve the page."""
    page().launch(max_file_size=MOST_BYTES)


if __name__ == "__main__":
    main()
