"""The functions the YAML files name; lmms-eval looks them up in a file beside the YAML."""

from mllmu_med_tasks.lmms_rows import doc_to_target, doc_to_text, doc_to_visual, process_results
from mllmu_med_tasks.row_metrics import mean_known

__all__ = ["doc_to_target", "doc_to_text", "doc_to_visual", "mean_known", "process_results"]
