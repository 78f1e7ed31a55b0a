"""Rows to batches to steps: learning and unlearning."""
