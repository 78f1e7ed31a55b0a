"""Publish a build, the metric's Space or a leaderboard's to the Hub: each one commit, there whole or not, and a tag.

``huggingface_hub.upload_folder`` is not used: with hf_xet installed it splits a folder over several commits, between
which a reader would find new and old files mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from .errors import UserError
from .load import checksums, data_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

Kind = Literal["dataset", "space"]
# Files of an older build or leaderboard that a newer one may lack; anything else on the Hub that is not ours stays.
REPLACED = {
    "dataset": ("data/*", "figures/*", "withheld_images.jsonl", "croissant.json"),
    "gradio": (),
    "static": ("entries/*",),
}
METRIC_FILES = ("README.md", "app.py", "mllmu_med_ues.py", "requirements.txt")
# Kind, kit of a Space, name, and files by their names there.
Sent = list[tuple[Kind, Literal["gradio", "static"] | None, str, Mapping[str, Path]]]


class Upload(BaseModel):
    """What goes to one repository: files with their sizes, and once done the commit that holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    kind: Kind
    sdk: Literal["gradio", "static"] | None = None  # of a Space
    private: bool
    tag: str
    files: dict[str, int]
    # What the Hub has now: None where it was not asked or could not answer (why is in ``note``).
    exists: bool | None = None
    removed: tuple[str, ...] = ()
    unchanged: bool = False
    note: str = ""
    commit: str | None = None
    url: str | None = None

    def lines(self) -> list[str]:
        """Return the upload as a person reads it."""
        size = sum(self.files.values())
        state = {True: "is there", False: "is new", None: f"was not looked at ({self.note})"}[self.exists]
        head = f"{self.kind} {self.repo} ({state}), tag {self.tag}: {len(self.files)} files, {size:,} bytes"
        if self.unchanged:
            head += ", as they are there already"
        lines = [head, *(f"  {size:>12,}  {name}" for name, size in self.files.items())]
        lines += [f"  {'remove':>12}  {name}" for name in self.removed]
        return [*lines, f"  {self.url} at {self.commit}"] if self.url else lines


def publish(
    repo: str,
    *,
    data_dir: Path | str | None = None,
    metric: str | None = None,
    metric_folder: Path | None = None,
    private: bool = False,
    tag: str = "v1",
    dry_run: bool = False,
) -> list[Upload]:
    """Put a build (the packaged one without a folder) on the Hub as the data set ``repo``, and name the commit ``tag``.

    ``metric`` names a Space for the files in ``metric_folder``. The build is verified first; every repository is looked
    at before the first one is written to. The same call again changes nothing. ``dry_run`` writes nothing, and needs
    neither token nor network. Raises ``UserError`` for a build that does not verify or must not be published, for a
    name without namespace, a missing token or permission, a tag that names other files, and when the Hub can't be
    reached.
    """
    folder = checked_build(data_dir)
    sent: Sent = [("dataset", None, _with_namespace(repo, "mllmu-med"), _files_of_build(folder))]
    if metric is not None:
        if metric_folder is None:
            raise ValueError("metric_folder is needed to publish the metric")
        of_metric = {name: metric_folder / name for name in METRIC_FILES}
        sent.append(("space", "gradio", _with_namespace(metric, "mllmu_med_ues"), of_metric))
    return _publish(sent, private=private, tag=tag, dry_run=dry_run)


def publish_static_space(
    repo: str, files: Mapping[str, Path], *, private: bool = False, tag: str = "v1", dry_run: bool = False
) -> list[Upload]:
    """Put files on the Hub as the static Space ``repo``, as :func:`publish` does; the caller has verified them."""
    name = _with_namespace(repo, "mllmu-med-leaderboard")
    return _publish([("space", "static", name, files)], private=private, tag=tag, dry_run=dry_run)


def _publish(sent: Sent, *, private: bool, tag: str, dry_run: bool) -> list[Upload]:
    """Look at every repository, then write to each, unless it is a dry run."""
    _check_tag(tag)
    plans = []
    with _hub(ask_token=not dry_run) as api:
        for kind, sdk, name, files in sent:
            sizes = {n: p.stat().st_size for n, p in files.items()}
            plan = Upload(repo=name, kind=kind, sdk=sdk, private=private, tag=tag, files=sizes)
            try:
                plans.append(_looked_at(api, plan, files))
            except UserError:
                raise
            except Exception as error:
                if not dry_run:
                    raise
                plans.append(plan.model_copy(update={"note": _why(error)}))
        if dry_run:
            return plans
        return [_send(api, plan, files) for plan, (*_, files) in zip(plans, sent, strict=True)]


def checked_build(data_dir: Path | str | None) -> Path:
    """Return the folder of a build that may be published; ``UserError`` with the reason otherwise."""
    from .verify import verify

    folder = data_folder(data_dir)
    document = checksums(folder)
    if document.get("parameters", {}).get("local"):
        raise UserError(
            f"The data set in '{folder}' is a local build: it holds pixels that their source does not allow to be "
            "passed on, so it is not published. Build it again without --local; the rows then name the images and "
            "leave them out."
        )
    if not (report := verify(folder)).ok:
        failures = "\n".join(report.lines())
        raise UserError(f"The data set in '{folder}' does not verify and is not published.\n{failures}")
    return folder


def _with_namespace(repo: str, usual: str) -> str:
    namespace, slash, name = repo.partition("/")
    if not slash or not namespace or not name or "/" in name:
        raise UserError(
            f"'{repo}' is no name on the Hub: a repository there has a namespace, your user name or an organisation of "
            f"yours. Write NAMESPACE/{name or namespace or usual}."
        )
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UserError(f"'{repo}' is no name on the Hub: {error} The usual one is {namespace}/{usual}.") from error
    return repo


def _check_tag(tag: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not tag or not set(tag) <= allowed or tag[0] in ".-" or tag.endswith((".", ".lock")) or ".." in tag:
        raise UserError(f"'{tag}' can't be a tag. Use letters, digits, dots, dashes: --revision-tag v1.")
    if tag == "main":
        raise UserError("'main' is the branch that always holds the newest files. Name a tag such as v1.")


def _files_of_build(folder: Path) -> dict[str, Path]:
    """Return every file of a verified build; verifying has held that there is no other."""
    return {name: folder / name for name in sorted([*checksums(folder)["files"], "checksums.json"])}


@contextmanager
def _hub(*, ask_token: bool) -> Iterator[HfApi]:
    """Yield the client, and tell its failures in a paragraph."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    # The library has moved between two versions of its HTTP package; the parent of its own error is that one's root.
    transport_error: type[Exception] = HfHubHTTPError.__bases__[0]
    api = huggingface_hub.HfApi(library_name="mllmu-med")
    if ask_token and huggingface_hub.get_token() is None:
        raise UserError(
            "Publishing needs a token with write access, and none was found. Make one at "
            f"{api.endpoint}/settings/tokens, then run `hf auth login` or set HF_TOKEN. --dry-run needs none."
        )
    try:
        yield api
    except (HfHubHTTPError, transport_error, ConnectionError, TimeoutError, RuntimeError) as error:
        # What fails in an upload thread comes wrapped.
        cause = error.__cause__ if type(error) is RuntimeError else error
        if isinstance(cause, HfHubHTTPError):
            raise UserError(_told(cause, api.endpoint)) from error
        if not isinstance(cause, transport_error | ConnectionError | TimeoutError):
            raise
        raise UserError(
            f"{api.endpoint} can't be reached ({_why(cause)}). Look at the connection, and at HF_ENDPOINT and "
            "HF_HUB_OFFLINE, then run the same command again: a commit is there whole or not at all, and what has "
            "arrived is not sent twice."
        ) from error


def _told(error: HfHubHTTPError, endpoint: str) -> str:
    status = error.response.status_code
    said = getattr(error, "server_message", None) or str(error).splitlines()[0]
    if status == 401:
        return (
            f"{endpoint} does not accept the token ({said}). Make one with write access at {endpoint}/settings/tokens, "
            "then run `hf auth login`, or correct HF_TOKEN."
        )
    if status == 402:
        return f"{endpoint} asks for a paid plan ({said}). Publish the data set alone, without --metric."
    if status == 403:
        return (
            f"The token may not write there ({said}). Publish under your own name or an organisation that you may "
            "write to, and use a token with write access."
        )
    if status == 412:
        return "Somebody else changed the repository meanwhile, so nothing was written. Run the same command again."
    return f"{endpoint} answered {status} ({said}). Run the same command again: what has arrived is not sent twice."


def _why(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _looked_at(api: HfApi, plan: Upload, files: Mapping[str, Path]) -> Upload:
    """Return the plan with what the Hub has now; ``UserError`` where the upload would break a promise made there."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(plan.repo, repo_type=plan.kind)
    except RepositoryNotFoundError:
        return plan.model_copy(update={"exists": False})
    if plan.private and not info.private:
        raise UserError(
            f"The {plan.kind} {plan.repo} is there and public, and --private would not change that. Make it private in "
            "its settings on the Hub, or name another one."
        )
    there = remote_files(api, plan, info.sha)
    removed = sorted(
        n for n in there if n not in files and any(fnmatchcase(n, p) for p in REPLACED[plan.sdk or "dataset"])
    )
    unchanged = not removed and _holds(there, files)
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(plan.repo, repo_type=plan.kind).tags}
    if plan.tag in tags and not (unchanged and tags[plan.tag] == info.sha):
        raise UserError(
            f"The tag '{plan.tag}' of the {plan.kind} {plan.repo} is taken: it names commit {tags[plan.tag][:12]}, "
            f"whose files are not these, and a tag must not move. Choose the next: --revision-tag {_next(tags)}."
        )
    return plan.model_copy(update={"exists": True, "removed": tuple(removed), "unchanged": unchanged})


def remote_files(api: HfApi, plan: Upload, revision: str | None) -> dict[str, str]:
    """Return the files of a revision on the Hub: sha256 of an LFS file, git's name of the content of any other."""
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(plan.repo, recursive=True, revision=revision, repo_type=plan.kind)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}


def _holds(there: Mapping[str, str], files: Mapping[str, Path]) -> bool:
    return all(there.get(name) in _names_of(path) for name, path in files.items())


def _names_of(path: Path) -> tuple[str, str]:
    data = path.read_bytes()
    return hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _next(tags: Mapping[str, str]) -> str:
    numbers = [int(tag[1:]) for tag in tags if tag[:1] == "v" and tag[1:].isdecimal()]
    return f"v{max(numbers, default=0) + 1}"


def _send(api: HfApi, plan: Upload, files: Mapping[str, Path]) -> Upload:
    """Create the repository where it is missing, commit once, make sure that it holds the files, and tag it."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    if not plan.exists:
        # Nothing is said about privacy where it was not asked for: an organisation may have a default.
        api.create_repo(
            plan.repo,
            repo_type=plan.kind,
            private=plan.private or None,
            exist_ok=True,
            space_sdk=plan.sdk,
        )
    head = api.repo_info(plan.repo, repo_type=plan.kind).sha
    if not plan.unchanged:
        done = api.create_commit(
            plan.repo,
            [
                *(CommitOperationDelete(name, is_folder=False) for name in plan.removed),
                *(CommitOperationAdd(name, path) for name, path in files.items()),
            ],
            repo_type=plan.kind,
            commit_message=f"mllmu-med {plan.tag}",
            parent_commit=head,
        )
        head = done.oid
    if not _holds(remote_files(api, plan, head), files):
        raise UserError(
            f"{plan.repo} does not hold what was sent to it, so it was not tagged. Run the same command again."
        )
    # A tag that is there already names this very commit, unless it was made since.
    api.create_tag(plan.repo, tag=plan.tag, revision=head, repo_type=plan.kind, exist_ok=plan.unchanged)
    url = f"{api.endpoint}/{plan.kind}s/{plan.repo}"
    return plan.model_copy(update={"commit": head, "url": url})
