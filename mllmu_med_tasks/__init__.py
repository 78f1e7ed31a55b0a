"""Harness tasks: prompts, rows and scores shared by every evaluation."""
