"""Make the three literal calls work from any folder, offline, and take every trace of it back.

``load_dataset("mllmu-med", ...)`` finds the data in the datasets cache, ``evaluate.load("mllmu_med_ues")`` the metric
in the modules cache, and ``lm_eval --tasks 'mllmu_med_*'`` stub files inside the installed lm_eval. Nothing else is
written but a manifest, in which :func:`undo` reads what there is to remove.

Of everything cached under a name, the library takes the folder that was changed last; a build that is loaded by its
path is cached under the name of its folder, which is the same one. So what is installed bears a date to come. Who maps
or shuffles it writes a file beside the rows, which makes the date that of today: then the next copy stands in.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from mllmu_med_metrics.vocabulary import CONFIGS, PERCENTS, config_name, main_split

from .errors import UserError
from .load import checksums, data_folder

NAME = "mllmu-med"
METRIC = "mllmu_med_ues"
STUBS = "mllmu_med"
# The date of installed rows: later than any file that is written now, and one that every file system can hold.
_DATED = 2_114_380_800  # the first of January 2037
# The one split of a config that the installed build lacks: the library's message names it, and the file it misses.
_ABSENT = "no_such_config_in_the_installed_build"
# Linked, not copied, where the file system has links.
_COPIES = 4
# The module that is installed: the metric itself stays in the package, and is upgraded with it.
_METRIC_MODULE = f"""\
\"\"\"The metric of the installed mllmu-med, as `mllmu-med install` names it to the evaluate library.\"\"\"

from mllmu_med_metrics.{METRIC}.{METRIC} import MllmuMedUES

__all__ = ["MllmuMedUES"]
"""
_STUB_HEADER = "# Written by `mllmu-med install`; `mllmu-med install --undo` removes it.\n"


def install(data_dir: Path | str | None = None, *, tasks: Path, metric: Path) -> dict[str, str]:
    """Install a build (the packaged one without a folder), the metric and the tasks; return what was put where.

    ``tasks`` is the folder of the lm-eval task files, of which those are installed that the build has rows for;
    ``metric`` the folder of the metric module. A newer install replaces an older one; the same one twice changes
    nothing. Raises :class:`UserError` for a folder that is no build,
    or no longer the one that was built, and where a folder can't be written; nothing half-done stays.
    """
    from .verify import verify

    folder = data_folder(data_dir).resolve()
    module = metric / f"{METRIC}.py"
    for needed in (module, tasks):
        if not needed.exists():
            raise UserError(
                f"'{needed}' is missing, so this installation of mllmu-med is incomplete. Install it again."
            )
    if not (report := verify(folder)).ok:
        raise UserError(f"The data set in '{folder}' does not verify and was not installed: {report.text()}")
    manifest = Manifest.read()
    try:
        done = {
            "data": str(_install_data(folder, manifest, packaged=data_dir is None)),
            "metric": str(_install_metric(manifest)),
            "tasks": _install_tasks(tasks, manifest, None if data_dir is None else folder),
        }
    except OSError as error:
        undo()
        raise UserError(
            f"Installing failed at '{error.filename}' ({error.strerror}), and what was written is removed again. "
            'Without installing, give lm_eval --include_path "$(mllmu-med tasks path)" and load from the build folder.'
        ) from error
    except BaseException:
        undo()
        raise
    return done


def undo() -> dict[str, str]:
    """Remove what was installed, and folders made for it that are empty now; return what was removed."""
    manifest = Manifest.read()
    gone = {}
    cache = _datasets_cache()
    for what, place in manifest.installed.items():
        remove = _remove_stubs if Path(place).name == STUBS else shutil.rmtree
        if Path(place).is_dir():
            remove(Path(place))
            gone[what] = place
    # Left by the libraries when the installed things were used.
    for lock in cache.glob(f"*{NAME}*.lock"):
        lock.unlink()
    shutil.rmtree(Path(os.environ.get("HF_METRICS_CACHE", _home() / "metrics")) / METRIC, ignore_errors=True)
    manifest.path.unlink(missing_ok=True)
    # Deepest first; a folder that others use by now stays.
    for made in sorted(manifest.made, key=len, reverse=True):
        _remove_if_bare(Path(made))
    return gone


def examine() -> tuple[bool, str]:
    """Return whether ``load_dataset("mllmu-med", ...)`` gives the installed rows, and a sentence on it."""
    manifest = Manifest.read()
    place = manifest.installed.get("data")
    if place is None or not Path(place).is_dir():
        return True, "nothing is installed by name (mllmu-med install)"
    again = "Run `mllmu-med install` again."
    if manifest.data is None:
        return False, f"the installed data set is of an older version of mllmu-med. {again}"
    if manifest.data["packaged"] and manifest.data["sha256"] != checksums()["dataset_sha256"]:
        return False, f"the installed data set is that of another version of mllmu-med than this one. {again}"
    key = str(manifest.data["sha256"])[:16]
    for config in sorted(Path(place).iterdir()):
        versions = [version for version in config.glob("*/*") if version.is_dir()]
        newest = max(versions, key=lambda version: version.stat().st_mtime, default=None)
        if newest is not None and not newest.name.startswith(key):
            return False, f'load_dataset("{NAME}", "{config.name}") gives other rows, those of {newest}. {again}'
    return True, f"{key} is what the name {NAME} gives"


class Manifest:
    """What is installed where, and which folders were made for it; written after each change."""

    def __init__(
        self, path: Path, installed: dict[str, str], made: list[str], data: dict[str, object] | None = None
    ) -> None:
        self.path, self.installed, self.made = path, installed, made
        # The checksum of the installed rows, and whether they are the packaged ones; None in older manifests.
        self.data = data

    @classmethod
    def read(cls) -> "Manifest":
        """Return the manifest under ``HF_HOME``, empty where there is none."""
        path = _home() / NAME / "install.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            data = document.get("data")
            if data is not None:
                data = {"sha256": data["sha256"], "packaged": data["packaged"]}
            return cls(path, dict(document["installed"]), list(document["made"]), data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Without one the usual places are still known.
            places = {"data": _datasets_cache() / NAME, "metric": _metric_folder(), "tasks": _stub_folder()}
            return cls(path, {what: str(place) for what, place in places.items() if place and place.is_dir()}, [])

    def folder(self, path: Path) -> Path:
        """Make a folder, noting each that was not there."""
        for one in [*reversed(path.parents), path]:
            if not one.exists():
                one.mkdir()
                self.made.append(str(one))
        return path

    def note(self, what: str, place: Path) -> None:
        """Write down where something is about to be installed."""
        key = what
        # Two environments may share one cache: the stubs of both are to be found again.
        while self.installed.get(key, str(place)) != str(place):
            key += "'"
        self.installed[key] = str(place)
        self.folder(self.path.parent)
        document = {"installed": self.installed, "made": self.made, "data": self.data}
        self.path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _install_data(folder: Path, manifest: Manifest, *, packaged: bool) -> Path:
    """Prepare every config into a scratch cache, then put it in the place of what was there."""
    import datasets

    document = checksums(folder)
    digest = str(document["dataset_sha256"])
    cache = manifest.folder(_datasets_cache())
    place = cache / NAME
    manifest.data = {"sha256": digest, "packaged": packaged}
    manifest.note("data", place)
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{NAME}-") as scratch:
            # The library names a cached data set by the folder it came from.
            named = Path(scratch) / "from" / NAME
            named.parent.mkdir()
            named.symlink_to(folder, target_is_directory=True)
            made = Path(scratch) / "cache"
            for config in document["content"]:
                builder = datasets.load_dataset_builder(str(named), config, cache_dir=str(made))
                builder.download_and_prepare(download_mode="force_redownload")
                _make_copies(Path(builder.cache_dir), digest[:16])
            for config in CONFIGS:
                if config not in document["content"]:
                    _bar(made / NAME / config / "0.0.0" / digest[:16], config)
            shutil.rmtree(place, ignore_errors=True)
            shutil.move(made / NAME, place)
    finally:
        if not shown:
            datasets.enable_progress_bars()
    for version in place.glob("*/*/*"):
        if version.is_dir():
            os.utime(version, (_DATED, _DATED))
        else:
            version.unlink()  # the library's lock
    return place


def _make_copies(prepared: Path, key: str) -> None:
    """Put copies of a prepared config beside it, named by what is in the build, and the config itself as the first."""
    for number in range(1, _COPIES):
        # Links share the rows, so that copies take no room.
        shutil.copytree(prepared, prepared.with_name(f"{key}-{number}"), copy_function=_link)
    prepared.rename(prepared.with_name(key))


def _bar(folder: Path, config: str) -> None:
    """Make a config that the installed build lacks fail by name, where the rows of another build would be given."""
    import datasets

    folder.mkdir(parents=True)
    splits = {_ABSENT: {"name": _ABSENT, "num_bytes": 1, "num_examples": 1, "dataset_name": NAME}}
    info = datasets.DatasetInfo(dataset_name=NAME, config_name=config, version="0.0.0", splits=splits)
    info.write_to_directory(str(folder))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _install_metric(manifest: Manifest) -> Path:
    """Write the module, and nothing of another version beside it."""
    place = _metric_folder()
    content = _METRIC_MODULE.encode()
    # Importable at every level, as the evaluate library makes them itself.
    for level in (place.parent.parent.parent, place.parent.parent, place.parent):
        manifest.folder(level)
        (level / "__init__.py").touch()
    manifest.note("metric", place)
    shutil.rmtree(place, ignore_errors=True)
    version = place / hashlib.sha256(content).hexdigest()
    version.mkdir(parents=True)
    (place / "__init__.py").touch()
    (version / "__init__.py").touch()
    (version / f"{METRIC}.py").write_bytes(content)
    return place


def _install_tasks(tasks: Path, manifest: Manifest, folder: Path | None) -> str:
    """Write a stub for each task that the build has rows for; without a folder the tasks read the packaged data."""
    place = _stub_folder()
    if place is None:
        return "left out: lm_eval is not installed (pip install 'mllmu-med[harness]', then install again)"
    if place.is_dir() and not all(_is_stub(one) for one in place.rglob("*.yaml")):
        raise UserError(f"'{place}' holds tasks that mllmu-med did not put there. Rename or remove that folder first.")
    try:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    except PermissionError:
        return f"left out: '{place.parent}' can't be written; give lm_eval --include_path \"$(mllmu-med tasks path)\""
    manifest.note("tasks", place)
    # lm_eval does not follow links; an include of the real file is what it takes.
    of_file = {task: yaml.safe_load(task.read_text(encoding="utf-8")) for task in sorted(tasks.glob("*.yaml"))}
    lacking = {one["task"] for one in of_file.values() if not _has_rows(one.get("dataset_kwargs"), folder)}
    for task, holds in of_file.items():
        stub: dict[str, object] = {"include": str(task.resolve())}
        if own := holds.get("dataset_kwargs"):
            if holds["task"] in lacking:
                continue
            if folder is not None:
                stub["dataset_kwargs"] = {**own, "mllmu_med_installed_dir": str(folder)}
        elif lacking & set(holds["task"]):  # a group
            stub = {**holds, "task": [name for name in holds["task"] if name not in lacking]}
        (place / task.name).write_text(_STUB_HEADER + yaml.safe_dump(stub), encoding="utf-8")
    return str(place)


def _has_rows(kwargs: Mapping[str, str] | None, folder: Path | None) -> bool:
    """Say whether a build has what a task asks for, at some forget share; a group, without arguments, lacks nothing."""
    if kwargs is None:
        return True
    content, scenario, subset = checksums(folder)["content"], kwargs["mllmu_med_scenario"], kwargs["mllmu_med_subset"]
    configs = {config_name(scenario, subset, percent) for percent in PERCENTS}
    return any((kwargs.get("mllmu_med_view") or main_split(one)) in content.get(one, {}) for one in configs)


def _remove_stubs(place: Path) -> None:
    for one in place.glob("*.yaml"):
        if _is_stub(one):
            one.unlink()
    _remove_if_bare(place)


def _is_stub(path: Path) -> bool:
    return path.read_text(encoding="utf-8", errors="replace").startswith(_STUB_HEADER)


def _remove_if_bare(folder: Path) -> None:
    """Remove a folder that holds nothing, or nothing but an empty ``__init__.py`` and its bytecode."""
    if not folder.is_dir() or not all(_is_bare(one) for one in folder.iterdir()):
        return
    shutil.rmtree(folder)


def _is_bare(path: Path) -> bool:
    return path.name == "__pycache__" or (path.name == "__init__.py" and path.stat().st_size == 0)


def _home() -> Path:
    import datasets.config

    return Path(datasets.config.HF_CACHE_HOME).expanduser()


def _datasets_cache() -> Path:
    import datasets.config

    return Path(datasets.config.HF_DATASETS_CACHE).expanduser()


def _metric_folder() -> Path:
    import datasets.config

    modules = Path(datasets.config.HF_MODULES_CACHE).expanduser()
    return modules / "evaluate_modules" / "metrics" / f"evaluate-metric--{METRIC}"


def _stub_folder() -> Path | None:
    """Return the folder of our stubs inside the installed lm_eval; None where there is no lm_eval."""
    spec = importlib.util.find_spec("lm_eval")
    locations: Iterable[str] = (spec.submodule_search_locations or ()) if spec else ()
    found = [Path(location) / "tasks" for location in locations if (Path(location) / "tasks").is_dir()]
    return found[0] / STUBS if found else None
