"""Ask a model in one call with plain keywords, as tests like to."""

from dataclasses import fields

from baselines.evaluation import evaluate as evaluation
from mllmu_med_tasks import harness
from mllmu_med_tasks.backends import Backend
from mllmu_med_tasks.questions import Questions


def _values(scenario, options):
    """Return questions, backend and what is left of the options."""
    left = dict(options)
    asked = {one.name: left.pop(one.name) for one in fields(Questions) if one.name in left}
    if "subsets" in asked:
        asked["subsets"] = tuple(asked["subsets"])
    by = {one.name: left.pop(one.name) for one in fields(Backend) if one.name in left}
    if "backend" in left:
        by["kind"] = left.pop("backend")
    return Questions(scenario=scenario, **asked), Backend(**by), left


def run(model, scenario, **options):
    questions, backend, left = _values(scenario, options)
    return harness.run(model, questions, backend=backend, **left)


def evaluate(*, model, scenario, **options):
    questions, backend, left = _values(scenario, options)
    return evaluation.evaluate(model, questions, backend=backend, **left)
