"""The engine that the options name, ready to run a graph; what only one of them needs is imported with it."""

from collections.abc import Callable

from ..graph import Graph
from .engine import Engine, Follower
from .options import EngineOptions
from .records import Records


def opened(
    options: EngineOptions, make: Callable[[], Graph], graph: Graph, records: Records, follower: Follower
) -> Engine:
    """Return the engine, ready; `make` makes the graph in another process of this machine."""
    if options.engine == "ray":
        from .ray import Ray

        return Ray(options, graph, records, follower)
    if options.engine == "slurm":
        from .slurm import Slurm

        return Slurm(options, graph, records, follower)
    from . import local

    count = local.workers(options.workers, len(graph))
    return local.InProcess(follower, records) if count == 1 else local.Workers(make, count, follower, records)
