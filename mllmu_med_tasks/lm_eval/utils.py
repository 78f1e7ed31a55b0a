"""The functions the YAML files name; lm-eval looks them up in a file beside the YAML."""

from mllmu_med_tasks.row_metrics import mean_known
from mllmu_med_tasks.task_documents import doc_to_image, doc_to_target, doc_to_text, load, process_results

__all__ = ["doc_to_image", "doc_to_target", "doc_to_text", "load", "mean_known", "process_results"]
