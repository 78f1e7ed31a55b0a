"""Sources read from the Hugging Face Hub: ``hf://datasets/ORG/NAME@REVISION``, downloaded once into the Hub's cache.

    mllmu-med build --source vqa_rad --source-path hf://datasets/flaviagiammarino/vqa-rad@main --out mllmu-med

Without a revision ``main`` is taken. Whatever was asked for, the commit it stands for is what a build records. Offline
(``HF_HUB_OFFLINE=1``), or where the Hub can't be reached, what the cache has of that revision is read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ..errors import UserError

DEFAULT_REVISION = "main"
# A Path has made one slash of the two.
_ADDRESS = re.compile(r"^hf:/{1,2}(?P<rest>.*)$")
_PLACE = re.compile(r"^datasets/(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^@]+))?$")


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A data set repository on the Hub at a revision: a branch, a tag, or a commit."""

    repo: str
    revision: str = DEFAULT_REVISION

    def __str__(self) -> str:
        return f"hf://datasets/{self.repo}@{self.revision}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of a repository on this machine, and the commit they are of."""

    folder: Path
    commit: str


def hub_place(path: Path | str) -> HubPlace | None:
    """Return the place on the Hub that a path names, or ``None`` for a path of this machine.

    Raises :class:`UserError` for an address of another form than ``hf://datasets/ORG/NAME[@REVISION]``.
    """
    address = _ADDRESS.match(str(path))
    if address is None:
        return None
    place = _PLACE.match(unquote(address["rest"]).rstrip("/"))
    if place is None:
        raise UserError(
            f"'hf://{address['rest']}' names no data set on the Hub. Write hf://datasets/ORG/NAME@REVISION, for "
            "example hf://datasets/BoKelvin/SLAKE@main; a source reads the whole repository, not a file of it."
        )
    return HubPlace(place["repo"], place["revision"] or DEFAULT_REVISION)


def snapshot(place: HubPlace, files: Sequence[str] | None = None) -> Snapshot:
    """Return the repository's files that match the patterns (all, without any), downloaded where the cache lacks them.

    Raises :class:`UserError` for a repository or revision that is not there or not for you, without a connection, and
    where nothing matches.
    """
    from huggingface_hub import errors, snapshot_download

    patterns = None if files is None else list(files)
    try:
        folder = Path(
            snapshot_download(place.repo, repo_type="dataset", revision=place.revision, allow_patterns=patterns)
        )
    except errors.GatedRepoError as error:
        raise UserError(
            f"{place} asks its readers to agree to its terms first. Do so on its page, log in (hf auth login), and run "
            "this again."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{place} is not on the Hub, or not for you to see. Check the name; for a private data set log in: "
            "hf auth login."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(
            f"{place}: the data set has no revision '{place.revision}'. Name a branch, a tag or a commit of it, such "
            f"as hf://datasets/{place.repo}@{DEFAULT_REVISION}."
        ) from error
    except errors.HFValidationError as error:
        raise UserError(f"{place} can't be the name of a data set on the Hub: {_one_line(error)}.") from error
    except errors.LocalEntryNotFoundError as error:
        raise UserError(
            f"{place} is not (or not whole) in the Hub's cache on this machine, and the Hub can't be reached from "
            "here. Run this once with a connection (and without HF_HUB_OFFLINE), or download the data set and give its "
            "folder."
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise UserError(
            f"{place} can't be downloaded ({_one_line(error)}). Run this again: it goes on where it stopped."
        ) from error
    if not any(folder.glob("*")):
        raise UserError(f"{place} has none of the files {', '.join(files or ())}. Name the repository of the source.")
    return Snapshot(folder, folder.name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
