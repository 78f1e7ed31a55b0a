"""The attacks, by name: what brings back what a model no longer says. One is one file with an `ATTACK`."""
