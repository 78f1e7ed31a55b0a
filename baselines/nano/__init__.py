"""The embedded model: a LLaVA of 3.6 million parameters that reads phantoms, and the script that made it."""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
