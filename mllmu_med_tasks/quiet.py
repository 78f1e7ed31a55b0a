"""lm-eval without its own noise: its bars count answered rows for us, its notes stay unsaid, images stay unhashed."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]


class Count:
    """How many rows are answered, of how many; told to ``progress`` after each."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done, self.total = progress, 0, 0

    def add(self, rows: int) -> None:
        """Count further answered rows."""
        self.done += rows
        if self.progress is not None:
            self.progress(self.done, self.total)


@contextmanager
def quiet(count: Count) -> Iterator[None]:
    """Silence lm-eval's bars and notes (errors still show), count answered rows, and leave images unhashed."""
    import lm_eval.api.model
    import lm_eval.api.task
    import lm_eval.evaluator
    import lm_eval.models.api_models
    import lm_eval.models.hf_vlms
    import transformers

    class Bar:
        """Stands in for a tqdm bar that draws nothing."""

        def __init__(self, rows=None, **_: object) -> None:
            self.rows = rows

        def __iter__(self):
            return iter(self.rows)

        def update(self, rows: int = 1) -> None:
            count.add(rows)

        def close(self) -> None:
            """Nothing was drawn."""

    class Together:
        """Stands in for tqdm's bar over requests in flight."""

        @staticmethod
        async def gather(*asked: Awaitable, **_: object) -> list:
            async def counted(one: Awaitable) -> object:
                answer = await one
                count.add(1)
                return answer

            return await asyncio.gather(*map(counted, asked))

    vllm = sys.modules.get("lm_eval.models.vllm_vlms")
    bars = {
        **({(vllm, "tqdm"): Bar} if vllm else {}),
        (lm_eval.api.task, "tqdm"): Bar,
        (lm_eval.api.model, "tqdm"): Bar,
        (lm_eval.models.hf_vlms, "tqdm"): Bar,
        (lm_eval.models.api_models, "tqdm"): Bar,
        (lm_eval.models.api_models, "tqdm_asyncio"): Together,
    }
    before = {place: getattr(*place, None) for place in bars}
    hashed = getattr(lm_eval.evaluator, "LMEVAL_HASHMM", True)
    logger = logging.getLogger("lm_eval")
    level, shown = logger.level, transformers.utils.logging.get_verbosity()
    bar_shown = transformers.utils.logging.is_progress_bar_enabled()
    for (module, name), bar in bars.items():
        setattr(module, name, bar)
    # The samples name their images; decoding, encoding and hashing each once more says nothing new.
    lm_eval.evaluator.LMEVAL_HASHMM = False
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        for (module, name), bar in before.items():
            setattr(module, name, bar)
        lm_eval.evaluator.LMEVAL_HASHMM = hashed
        logger.setLevel(level)
        transformers.utils.logging.set_verbosity(shown)
        if bar_shown:
            transformers.utils.logging.enable_progress_bar()
