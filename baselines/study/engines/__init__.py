"""Where the stages of a graph run: one file an engine (local, ray, slurm) over the one interface of engine.py."""
