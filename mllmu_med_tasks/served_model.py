"""lm-eval's ``local-chat-completions``, with what it lacks for images: it leaves the placeholder in the text.

Upstream sends ``[image, "<image>Which organ is it?"]``; a server that renders the model's own chat template then asks
about two images. Here the text is the question alone, which is what a template gets in every other backend.
"""

import json

from lm_eval.api.instance import Instance
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.openai_completions import LocalChatCompletion

from mllmu_med_dataset.errors import UserError
from mllmu_med_metrics.answers.thoughts import with_thought
from mllmu_med_tasks.answer_texts import first_line
from mllmu_med_tasks.decoding import COMMON, PENALTIES, STANDARD
from mllmu_med_tasks.prompts import PLACEHOLDER

# Upstream encodes the images of all requests before the first is sent.
AT_ONCE = 256


class ServedModel(LocalChatCompletion):
    """A model behind an OpenAI-compatible ``/v1/chat/completions``; prompts are one image and the question."""

    def __init__(
        self, model: str, *, base_url: str, concurrent: int = 1, timeout_seconds: int = 300, retries: int = 3
    ) -> None:
        """Take the served model's name and the full address of its chat completions."""
        self.takes_penalties = True
        super().__init__(
            model=model, base_url=base_url, num_concurrent=concurrent, timeout=timeout_seconds, max_retries=retries
        )

    def apply_chat_template(self, chat_history: list[dict], add_generation_prompt: bool = True) -> JsonChatStr:
        """Return the messages without the placeholder; the server renders its own template."""
        turns = [{**turn, "content": turn["content"].replace(PLACEHOLDER, "", 1)} for turn in chat_history]
        return super().apply_chat_template(turns, add_generation_prompt)

    def find_out_what_it_takes(self) -> None:
        """Ask for one token, and leave out what the server refuses by name: OpenAI's own knows no such penalty."""
        import requests as http

        words = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
        asked = {"messages": words, "model": self.model, "max_tokens": 1, **STANDARD, **PENALTIES}
        try:
            reply = http.post(
                self.base_url, json=asked, headers=self.header, verify=self.verify_certificate, timeout=self.timeout
            )
        except (http.RequestException, ValueError):  # asking the rows will tell
            return
        self.takes_penalties = reply.status_code not in (400, 422) or not any(name in reply.text for name in PENALTIES)

    def _create_payload(self, messages: list[dict], gen_kwargs: dict | None = None, **options: object) -> dict:
        """Return the request with every setting named: what is absent, a server takes from the model's own."""
        known = {name: value for name, value in (gen_kwargs or {}).items() if name in COMMON}
        payload = super()._create_payload(messages, gen_kwargs=known, **options)
        return payload | STANDARD | (PENALTIES if self.takes_penalties else {})

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answer some hundred requests at a time; each answer is up to the first line break of what is shown."""
        import aiohttp
        import requests as http

        answers: list[str] = []
        for start in range(0, len(requests), AT_ONCE):
            asked = requests[start : start + AT_ONCE]
            try:
                answered = super().generate_until(asked, disable_tqdm)
            except (http.RequestException, aiohttp.ClientError, TimeoutError) as error:
                raise UserError(
                    f"The server at {self.base_url} did not answer row {len(answers) + 1} or one after it "
                    f"({_told(error)}), after {self.max_retries} tries. Look at its log (it must take images as "
                    "image_url), and evaluate again."
                ) from error
            for request, answer in zip(asked, answered, strict=True):
                answer = first_line(answer)
                answers.append(answer)
                self.cache_hook.add_partial("generate_until", request.args, answer)
        return answers

    def parse_generations(self, outputs: dict | list[dict], **_: object) -> list[str]:
        """Return the answers; upstream would take a reply of another form for an empty answer."""
        answers = []
        for reply in outputs if isinstance(outputs, list) else [outputs]:
            try:
                (choice,) = reply["choices"]
                message = choice["message"]
                # What a server's reasoning parser took off the answer, under the names that servers give it.
                thought = message.get("reasoning_content") or message.get("reasoning")
                content = message["content"]
                if not isinstance(content, str | None) or not isinstance(thought, str | None):
                    raise TypeError("content and reasoning_content must be text")
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UserError(
                    f"The server at {self.base_url} gave a reply that is no chat completion ({error!r}): "
                    f"{json.dumps(reply)[:200]}. Name the address of an OpenAI-compatible /v1/chat/completions."
                ) from error
            answers.append(with_thought(thought or "", content or ""))
        return answers


def _told(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "status", None)
    return f"status {status}" if status else type(error).__name__
