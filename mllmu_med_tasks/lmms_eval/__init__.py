"""The folder lmms-eval scans for tasks: one YAML a task, one template, and the functions they name."""
