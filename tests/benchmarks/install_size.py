"""What an install takes on disk: by extra, and the largest packages, as installed in this environment.

    python -m tests.benchmarks.install_size [--packages 12]

Read off the records of installed packages, compiled bytecode apart; a package that is not installed counts nothing.
Beyond: what an extra needs and the core does not.
"""

import argparse
import re
from importlib.metadata import Distribution, distributions

from packaging.requirements import Requirement

EXTRAS = ("train", "harness", "report", "dicom", "all")


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


INSTALLED: dict[str, Distribution] = {_name(one.metadata["Name"]): one for one in distributions()}


def needed(wanted: str) -> set[str]:
    """Return the installed packages that a requirement brings, itself among them."""
    found: dict[str, frozenset[str]] = {}
    waiting = [Requirement(wanted)]
    while waiting:
        one = waiting.pop()
        name, known = _name(one.name), found.get(_name(one.name))
        if name not in INSTALLED or (known is not None and known.issuperset(one.extras)):
            continue
        found[name] = (known or frozenset()) | one.extras
        for requirement in map(Requirement, INSTALLED[name].requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *found[name])):
                waiting.append(requirement)
    return set(found)


def megabytes(name: str) -> float:
    """Return the size of a package's files."""
    files = [INSTALLED[name].locate_file(file) for file in INSTALLED[name].files or () if file.suffix != ".pyc"]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def main() -> None:
    """Print the sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=int, default=12, help="how many of the largest to name")
    options = parser.parse_args()
    core = needed("mllmu-med")
    print(f"core: {len(core)} packages, {sum(map(megabytes, core)):.0f} MB")
    for extra in EXTRAS:
        found = needed(f"mllmu-med[{extra}]")
        beyond = found - core
        sizes = [sum(map(megabytes, some)) for some in (found, beyond)]
        print(f"{extra}: {len(found)} packages, {sizes[0]:.0f} MB; beyond the core {len(beyond)}, {sizes[1]:.0f} MB")
    for name in sorted(needed("mllmu-med[all]"), key=megabytes, reverse=True)[: options.packages]:
        print(f"  {megabytes(name):6.1f} MB {name} {INSTALLED[name].version}{' (core)' if name in core else ''}")


if __name__ == "__main__":
    main()
