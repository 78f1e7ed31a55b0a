"""Unlearning baselines for biomedical vision-language models, and the study that compares them."""
