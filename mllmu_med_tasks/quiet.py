"""lm-eval without its own noise: its bars count answered rows for us, its notes stay unsaid, images stay unhashed."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import ModuleType

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


class Bar:
    """Stands in for a tqdm bar: draws nothing, and counts the rows that it is told of."""

    def __init__(self, count: Count, rows=None, **_: object) -> None:
        self.count, self.rows = count, rows

    def __iter__(self):
        return iter(self.rows)

    def update(self, rows: int = 1) -> None:
        """Count further answered rows."""
        self.count.add(rows)

    def close(self) -> None:
        """Nothing was drawn."""


class Together:
    """Stands in for tqdm's bar over requests in flight, and counts each when it is answered."""

    def __init__(self, count: Count) -> None:
        self.count = count

    async def gather(self, *asked: Awaitable, **_: object) -> list:
        """Return the answers in the order asked."""

        async def counted(one: Awaitable) -> object:
            answer = await one
            self.count.add(1)
            return answer

        return await asyncio.gather(*map(counted, asked))


@contextmanager
def quiet(count: Count) -> Iterator[None]:
    """Silence lm-eval's bars and notes (errors still show), count answered rows, and leave images unhashed."""
    import lm_eval.evaluator

    # The samples name their images; decoding, encoding and hashing each once more says nothing new.
    instead = {**_bars(count), (lm_eval.evaluator, "LMEVAL_HASHMM"): False}
    with _errors_only(), _replaced(instead):
        yield


def _bars(count: Count) -> dict[tuple[ModuleType, str], object]:
    """Return what takes the place of each bar, by module and name."""
    import lm_eval.api.model
    import lm_eval.api.task
    import lm_eval.models.api_models
    import lm_eval.models.hf_vlms

    bar = partial(Bar, count)
    # Imported only where vLLM is installed and in use.
    vllm = sys.modules.get("lm_eval.models.vllm_vlms")
    return {
        **({(vllm, "tqdm"): bar} if vllm else {}),
        (lm_eval.api.task, "tqdm"): bar,
        (lm_eval.api.model, "tqdm"): bar,
        (lm_eval.models.hf_vlms, "tqdm"): bar,
        (lm_eval.models.api_models, "tqdm"): bar,
        (lm_eval.models.api_models, "tqdm_asyncio"): Together(count),
    }


@contextmanager
def _replaced(values: Mapping[tuple[ModuleType, str], object]) -> Iterator[None]:
    """Set names of modules, and give them their own values back; a name that was not there goes again."""
    before = {(module, name): vars(module)[name] for module, name in values if name in vars(module)}
    for (module, name), value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name in values:
            if (module, name) in before:
                setattr(module, name, before[module, name])
            else:
                delattr(module, name)


@contextmanager
def _errors_only() -> Iterator[None]:
    """Let lm-eval and transformers log errors alone, and transformers draw no bars."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("lm_eval")
    level, shown = logger.level, transformers_logging.get_verbosity()
    bar_shown = transformers_logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        transformers_logging.set_verbosity(shown)
        if bar_shown:
            transformers_logging.enable_progress_bar()
