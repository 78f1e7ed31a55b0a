"""No file that is given can run code, and no secret of the machine reaches what a run leaves."""

import ast
import os
import pickle
import shutil
from pathlib import Path

import pytest

from baselines import cli
from baselines.config import LearnRecipe
from baselines.training.learn import learn
from mllmu_med_dataset.errors import UserError

ROOT = Path(cli.__file__).parent.parent
PACKAGES = ("baselines", "mllmu_med_dataset", "mllmu_med_metrics", "mllmu_med_tasks")
UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNNING = {"eval", "exec", "torch.load", "torch.save", "np.load", "numpy.load"}
SECRETS = {"HF_TOKEN": "hf_aSecretOfThisMachine", "OPENAI_API_KEY": "sk-another-secret-of-this-machine"}
RECIPE = LearnRecipe(batch=4, max_steps=2, learning_rate=1e-3, checkpoint_seconds=1e-9)


class Attack:
    """What, unpickled, makes a folder of this name."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def attack(tmp_path):
    """Return the bytes of a pickle that leaves a mark, and the mark."""
    mark = tmp_path / "it-ran"
    content = pickle.dumps(Attack(mark))
    pickle.loads(content)
    assert mark.is_dir()  # the attack is a real one
    mark.rmdir()
    return content, mark


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors", "model.bin"])
def test_a_pickle_in_place_of_weights_never_runs(tiny_model, tmp_path, attack, name, capsys):
    content, mark = attack
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "model.safetensors").unlink()
    (model / name).write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        cli.main(
            ["learn", "--model", str(model), "--scenario", "privacy", "--rows", "target", "--out", str(tmp_path / "r")]
        )
    assert ended.value.code == 2 and "can't be loaded" in capsys.readouterr().err
    assert not mark.exists() and not (tmp_path / "r").exists()


def start(tiny_model, data, data_dir, out, recipe=RECIPE, **changes):
    common = {
        "model": tiny_model,
        "data": data,
        "data_dir": data_dir,
        "scenario": "privacy",
        "rows": "target",
        "seed": 0,
    }
    return learn(**common, out=out, recipe=recipe, **changes)


def test_a_pickle_in_place_of_a_checkpoint_never_runs(tiny_model, data, data_dir, tmp_path, attack):
    content, mark = attack
    out = tmp_path / "run"
    start(tiny_model, data, data_dir, out)
    for path in (out / "record.json", out / "model"):  # as if it had been killed
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (out / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"checkpoint of the run .* is damaged"):
        start(tiny_model, data, data_dir, out)
    assert not mark.exists()


def test_no_secret_of_the_environment_is_left(tiny_model, data, data_dir, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    start(tiny_model, data, data_dir, tmp_path / "run")
    left = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(left) > 5
    for path in left:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in SECRETS.values()), path


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_here_unpickles_evaluates_text_or_trusts_remote_code(package):
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not _risky(node), f"{path}: {ast.unparse(node)}"


def _risky(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return bool(UNPICKLING & {name.name.split(".")[0] for name in node.names})
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in UNPICKLING
    if not isinstance(node, ast.Call):
        return False
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    called = ast.unparse(node.func)
    if called == "yaml.load":
        return "Safe" not in given.get("Loader", "")
    return called in RUNNING or given.get("trust_remote_code", "False") != "False"


@pytest.mark.parametrize(
    "text", ["import pickle", "from dill import loads", "torch.load(f)", "yaml.load(t)", "f(x, trust_remote_code=True)"]
)
def test_a_risky_line_is_seen(text):
    assert any(_risky(node) for node in ast.walk(ast.parse(text)))
