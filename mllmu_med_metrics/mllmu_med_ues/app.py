"""The Space's page: paste rows with the answers of the models, read the score.

`evaluate.utils.launch_gradio_widget` shows one text box a column and cannot take rows; this page takes JSON lines.
"""

import json

import mllmu_med_metrics

EXAMPLE = """\
{"row": {"id": "...", "scenario": "privacy", "subset": "forget", ...}, "unlearned": "...", "target": "...", \
"retain_only": "..."}
"""
MODELS = ("unlearned", "target", "retain_only")


def score_lines(text: str) -> str:
    """Return the score, as JSON, of lines that each hold a row and the answers of the models to it."""
    try:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as problem:
        return f"A line is no JSON ({problem}). Give one object a line."
    if any(not isinstance(line, dict) or not isinstance(line.get("row"), dict) for line in lines):
        return "Every line is an object with the keys 'row' (an object), 'unlearned' and 'target'."
    rows = [line["row"] for line in lines]
    given = [model for model in MODELS if lines and all(model in line for line in lines)]
    answers = {model: {str(line["row"].get("id")): line[model] for line in lines} for model in given}
    if not {"unlearned", "target"} <= answers.keys():
        return "Every line needs the keys 'row', 'unlearned' and 'target'; 'retain_only' on all lines or on none."
    try:
        score = mllmu_med_metrics.score(
            rows=rows,
            unlearned=answers["unlearned"],
            target=answers["target"],
            retain_only=answers.get("retain_only"),
        )
        return json.dumps(score.to_dict(), indent=2)
    except ValueError as problem:
        return str(problem)


def main() -> None:
    """Serve the page."""
    import gradio

    gradio.Interface(
        fn=score_lines,
        inputs=gradio.Textbox(lines=12, label="One JSON object a line", placeholder=EXAMPLE),
        outputs=gradio.Textbox(label="Score"),
        title="Metric: mllmu_med_ues",
        description="Unlearning Efficiency Score of a biomedical vision-language model.",
    ).launch()


if __name__ == "__main__":
    main()
