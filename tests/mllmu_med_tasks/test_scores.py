import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics import score as score_predictions
from mllmu_med_metrics.pool import WorkerLostError
from mllmu_med_tasks import scores

RETAIN_OF_8 = {"mllmu_med_privacy_retain": {"original": 8, "effective": 8}}


@pytest.fixture
def folder(evaluation, tmp_path):
    """A copy of the evaluation that a test may change."""
    return shutil.copytree(evaluation, tmp_path / "changed")


def test_a_part_of_the_subsets_can_be_compared_where_that_is_all_that_is_wanted(evaluation):
    whole = scores.read(evaluation)
    kept = {task: version for task, version in whole.versions.items() if "holdout" not in task}
    part = replace(
        whole,
        versions=kept,
        answers={id: one for id, one in whole.answers.items() if one.row["subset"] != "holdout"},
    )
    scores.check_comparable([part, part], ("forget", "retain", "test"))
    with pytest.raises(UserError, match="misses the task mllmu_med_privacy_holdout"):
        scores.check_comparable([part, part])


def samples_file(folder, subset):
    (path,) = folder.glob(f"samples_mllmu_med_privacy_{subset}_2*.jsonl")
    return path


def edit_samples(folder, subset, change):
    path = samples_file(folder, subset)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in change(lines)))


def edit_results(folder, change):
    (path,) = folder.glob("results_*.json")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def with_answers(evaluation, target, text_of):
    """Copy an evaluation, every answer replaced: models whose scores are known without running one."""
    shutil.copytree(evaluation, target)
    for subset in ("forget", "retain", "test", "holdout"):

        def answered(lines):
            return [{**line, "filtered_resps": [text_of(line["doc"])]} for line in lines]

        edit_samples(target, subset, answered)
    return target


@pytest.fixture
def models(evaluation, tmp_path):
    """Evaluations of a model that tells everything it was taught, and of one that never saw the forget rows."""
    return {
        "target": with_answers(
            evaluation,
            tmp_path / "target",
            lambda row: row["answer"] if row["subset"] == "forget" else row["true_answer"],
        ),
        "retain_only": with_answers(evaluation, tmp_path / "gold", lambda row: row["true_answer"]),
    }


def test_reading_gives_the_rows_the_answers_and_what_was_shown(evaluation, data_dir):
    found = scores.read(evaluation)
    assert found.scenario == "privacy" and found.image == "own" and not found.limits
    assert found.predictions.keys() == {row["id"] for row in found.rows}
    assert {row["subset"] for row in found.rows} == {"forget", "retain", "test", "holdout"}


def test_a_folder_above_is_searched(evaluation):
    assert scores.read(evaluation.parent).predictions == scores.read(evaluation).predictions


def test_the_target_scores_0_and_the_gold_1(models):
    assert scores.score(unlearned=models["target"], **models, replicates=20).ues == 0.0
    assert scores.score(unlearned=models["retain_only"], **models, replicates=20).ues == 1.0


def test_the_score_is_that_of_the_metric_on_the_same_answers(models, data_dir):
    read = {role: scores.read(path) for role, path in models.items()}
    direct = score_predictions(
        unlearned=read["retain_only"].predictions,
        target=read["target"].predictions,
        rows=read["target"].rows,
        replicates=20,
    )
    found = scores.score(unlearned=models["retain_only"], target=models["target"], data_dir=data_dir, replicates=20)
    assert found == direct and found.unnormalised


def refused(**models):
    with pytest.raises(UserError) as raised:
        scores.score(**models, replicates=0)
    message = str(raised.value)
    assert "\n" not in message and message.endswith(".")
    return message


def test_a_missing_folder_and_one_without_results_are_refused(evaluation, tmp_path):
    assert "does not exist" in refused(target=evaluation, unlearned=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "no answers" in refused(target=evaluation, unlearned=tmp_path / "empty")


def test_results_without_samples_are_refused(evaluation, folder):
    samples_file(folder, "test").unlink()
    assert "--log_samples" in refused(target=evaluation, unlearned=folder)


def test_a_missing_task_is_named(evaluation, folder):
    edit_results(folder, lambda document: document["results"].pop("mllmu_med_privacy_holdout"))
    assert "mllmu_med_privacy_holdout" in refused(target=evaluation, unlearned=folder)


def test_a_limit_is_refused(evaluation, folder):
    def cut(document):
        document["n-samples"]["mllmu_med_privacy_test"]["effective"] = 3

    edit_results(folder, cut)
    assert "limit" in refused(target=evaluation, unlearned=folder)


def test_another_sample_of_rows_is_refused_with_the_counts(evaluation, folder):
    edit_samples(folder, "retain", lambda lines: lines[:-2])
    assert "8 and 10 rows" in refused(target=evaluation, unlearned=folder)
    edit_results(folder, lambda document: document["n-samples"].update(RETAIN_OF_8))
    assert "retain 10 and 8 rows" in refused(target=evaluation, unlearned=folder)


def test_another_data_set_is_refused(evaluation, folder):
    def other(document):
        for config in document["configs"].values():
            config["metadata"]["mllmu_med_data_sha256"] = "0" * 64

    edit_results(folder, other)
    assert "data sets differ" in refused(target=evaluation, unlearned=folder)


def test_rows_of_other_content_are_refused_without_a_checksum_too(evaluation, folder):
    edit_samples(folder, "test", lambda lines: [{**lines[0], "doc_hash": "0"}, *lines[1:]])
    assert "other content" in refused(target=evaluation, unlearned=folder)


def test_another_prompt_is_refused_with_both_texts(evaluation, folder):
    def asked(lines):
        lines[0]["arguments"]["gen_args_0"]["arg_0"] += "\nASSISTANT:"
        return lines

    edit_samples(folder, "forget", asked)
    message = refused(target=evaluation, unlearned=folder)
    assert "chat template" in message and "ASSISTANT" in message


def test_other_decoding_is_refused(evaluation, folder):
    def asked(lines):
        lines[0]["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] = 8
        return lines

    edit_samples(folder, "forget", asked)
    assert "decoding" in refused(target=evaluation, unlearned=folder)


def test_another_task_version_is_refused(evaluation, folder):
    edit_results(folder, lambda document: document["versions"].update(mllmu_med_privacy_test="4-A"))
    assert "version" in refused(target=evaluation, unlearned=folder)


def test_a_control_run_is_not_scored(evaluation, folder):
    def blank(lines):
        for line in lines:
            line["doc"]["image"] = f"blank of {line['doc']['image_id']}"
        return lines

    for subset in ("forget", "retain", "test", "holdout"):
        edit_samples(folder, subset, blank)
    assert scores.read(folder).image == "blank"
    assert "blank" in refused(target=evaluation, unlearned=folder)
    assert "control run" in refused(target=folder, unlearned=folder)


def test_two_runs_of_a_task_in_one_folder_are_refused(evaluation, folder):
    shutil.copytree(evaluation, folder / "second")
    assert "two runs" in refused(target=evaluation, unlearned=folder)


def test_damaged_files_are_named_with_their_line(evaluation, folder):
    path = samples_file(folder, "test")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:50], *lines[2:]]))
    assert f"{path.name}:2" in refused(target=evaluation, unlearned=folder)
    (results,) = folder.glob("results_*.json")
    results.write_text("{}")
    assert results.name in refused(target=evaluation, unlearned=folder)


def test_a_row_answered_twice_is_refused(evaluation, folder):
    edit_samples(folder, "test", lambda lines: [*lines, lines[0]])
    assert "twice" in refused(target=evaluation, unlearned=folder)


def test_the_wrong_data_set_is_refused(models, data_dir, tmp_path):
    other = shutil.copytree(data_dir, tmp_path / "other")
    checksums = json.loads((other / "checksums.json").read_text())
    (other / "checksums.json").write_text(json.dumps({**checksums, "dataset_sha256": "0" * 64}))
    assert "other data" in refused(unlearned=models["target"], target=models["target"], data_dir=other)


def test_a_killed_worker_is_told_with_what_to_do():
    def killed():
        raise WorkerLostError("A worker process was killed.")

    with pytest.raises(UserError, match=r"was killed\. Run the same command again, with --workers 1"):
        scores._told(killed)


def test_a_score_of_files_starts_without_the_library_of_data_sets():
    code = (
        "import sys; from mllmu_med_tasks import scores; print([m for m in ('datasets', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
