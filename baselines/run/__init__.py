"""The folder of a run: taken, locked, recorded, followed."""
