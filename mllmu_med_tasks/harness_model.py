"""lm-eval's own multimodal model, with two things it lacks: a processor given in memory, and batches of one task."""

from lm_eval.api.instance import Instance
from lm_eval.models.hf_vlms import HFMultimodalLM
from transformers import PreTrainedModel, ProcessorMixin


class HarnessModel(HFMultimodalLM):
    """``hf-multimodal``; prompts and answers are those of the original."""

    def __init__(
        self,
        pretrained: str | PreTrainedModel,
        *,
        processor: ProcessorMixin | None = None,
        batch_size: int,
        device: str | None = None,
        peft: str | None = None,
    ) -> None:
        """Take a folder or Hub id, or a model in memory together with its processor."""
        # Upstream looks for the processor beside the weights, where a model with an adapter in memory has none.
        self._given = processor
        super().__init__(pretrained, batch_size=batch_size, device=device, peft=peft)

    def _create_tokenizer(self, pretrained: str | PreTrainedModel, *args: object, **options: object) -> None:
        if self._given is None:
            super()._create_tokenizer(pretrained, *args, **options)
        else:
            self.processor, self.tokenizer = self._given, self._given.tokenizer

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer task by task: a batch runs to its longest answer, and answers are alike in length within a task."""
        answers: dict[int, str] = {}
        for task in dict.fromkeys(request.task_name for request in requests):
            places = [place for place, request in enumerate(requests) if request.task_name == task]
            answered = super().generate_until([requests[place] for place in places], disable_tqdm)
            for place, answer in zip(places, answered, strict=True):
                answers[place] = answer
                # Upstream's own entry leaves the image out and is never found again.
                self.cache_hook.add_partial("generate_until", requests[place].args, answer)
        return [answers[place] for place in range(len(requests))]
