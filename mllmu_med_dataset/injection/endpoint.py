"""A chat model behind an OpenAI-compatible endpoint: called again where it is busy, given up where it refuses."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ..errors import UserError

DEFAULT_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
# Calls before an endpoint that fails is given up, and how long they wait for each other and for an answer.
CALLS, FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, TIMEOUT_SECONDS = 5, 1.0, 60.0, 60.0
LARGEST_REPLY_BYTES = 2**20
_HOST = re.compile(r"[\w.:%-]+")


class InTroubleError(Exception):
    """The endpoint is busy or fails; ``retry_after`` is how many seconds it asks to wait, if it does."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Endpoint:
    """One address up to ``/v1``, and the key of the environment variable OPENAI_API_KEY.

    The key is sent over https or to this machine only, and never along a redirect. Raises ``UserError`` for an address
    that is none, or to which the key would go in the clear.
    """

    def __init__(self, model: str, url: str | None = None) -> None:
        self.model, self.url = model, _checked_url(url or DEFAULT_URL)
        self._key = os.environ.get(KEY_VARIABLE) or None
        if self._key and not self.is_local and not self.url.startswith("https:"):
            raise UserError(
                f"{KEY_VARIABLE} is set and would be sent in the clear to {self.url}. Use https, or unset it if that "
                "endpoint needs no key."
            )
        if self._key and not (self._key.isascii() and self._key.isprintable() and " " not in self._key):
            raise UserError(
                f"{KEY_VARIABLE} holds a space, a line end or a letter that no key has, so it can't be sent. Set it to "
                "the key alone."
            )
        # Endpoints that do not know a reply format are asked without one.
        self._formatted = True

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, so that nothing leaves it."""
        return is_loopback(self.url)

    def ask(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], tokens: int, count: Callable[..., None]
    ) -> str:
        """Return the model's reply, asked for in the form of the schema; an empty one for what is no reply.

        ``count`` is told of calls and tokens. Raises ``InTroubleError`` after the last of so many calls in vain.
        """
        calls = Retrying(
            stop=stop_after_attempt(CALLS),
            wait=_wait,
            retry=retry_if_exception_type(InTroubleError),
            sleep=lambda seconds: time.sleep(seconds),
            reraise=True,
        )
        return calls(self._once, messages, schema, tokens, count)

    def _once(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], tokens: int, count: Callable[..., None]
    ) -> str:
        body: dict[str, Any] = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": tokens}
        formatted = self._formatted
        if formatted:
            answer = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        count(calls=1)
        status, headers, data = self._post(body)
        if status >= 300:
            said = f"it answered {status} {_reason(status, data)}".rstrip()
            if status == 400 and formatted and "response_format" in said:
                self._formatted = False
                raise InTroubleError(said, 0.0)
            if status not in (408, 409, 429) and status < 500:
                raise UserError(self._refused(status, said))
            raise InTroubleError(said, _retry_after(headers))
        document = _document(data)
        usage = document.get("usage") if isinstance(document, dict) else None
        if isinstance(usage, dict):
            tokens_used = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
            count(**{name: number for name, number in tokens_used.items() if isinstance(number, int)})
        return _content(document)

    def _post(self, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """Return status, headers and body of the endpoint's reply, cut where it is oversized."""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        data = bytearray()
        try:
            # No proxy between this machine and itself.
            with (
                httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=not self.is_local) as client,
                client.stream("POST", f"{self.url}/chat/completions", json=body, headers=headers) as reply,
            ):
                for part in reply.iter_bytes():
                    data += part
                    if len(data) > LARGEST_REPLY_BYTES:
                        break
                return reply.status_code, reply.headers, bytes(data)
        except httpx.HTTPError as error:
            raise InTroubleError(str(error) or type(error).__name__) from error

    def _refused(self, code: int, said: str) -> str:
        if code in (401, 403):
            return f"The endpoint {self.url} does not let us in ({said}). Set {KEY_VARIABLE} to a key that it accepts."
        if 300 <= code < 400:
            return f"The endpoint {self.url} is elsewhere ({said}). Give its address to --rewriter-url."
        return (
            f"The endpoint {self.url} refuses the request ({said}). Look at the model's name "
            f"('{self.model}') and at --rewriter-url, which ends before /chat/completions, usually with /v1."
        )


def is_loopback(url: str) -> bool:
    """Return whether an address names this machine by itself; a name that has to be looked up does not."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # What the client itself would stumble over: a name no address has, or a part of one that is empty or too long.
        host.encode("idna")
        httpx.URL(url)
        sound = parts.scheme in ("http", "https") and host and (parts.port or 1) and _HOST.fullmatch(host)
    except (ValueError, httpx.InvalidURL):
        sound = False
    if not sound or parts.query or parts.fragment or parts.username:
        raise UserError(f"'{url}' is no address of an endpoint. Write for example http://127.0.0.1:8000/v1.")
    return url.rstrip("/").removesuffix("/chat/completions")


def _wait(state: RetryCallState) -> float:
    """Return how long to wait: as long as the endpoint asks, else twice as long each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, InTroubleError) and error.retry_after is not None:
        return error.retry_after
    return min(FIRST_WAIT_SECONDS * 2.0 ** (state.attempt_number - 1), LONGEST_WAIT_SECONDS)


def _retry_after(headers: httpx.Headers) -> float | None:
    if "Retry-After" not in headers:
        return None
    try:
        return max(0.0, min(float(headers["Retry-After"]), LONGEST_WAIT_SECONDS))
    except ValueError:
        return LONGEST_WAIT_SECONDS


def _document(data: bytes) -> Any:
    """Return a reply as a document; an oversized or unreadable one is no document."""
    try:
        return json.loads(data) if len(data) <= LARGEST_REPLY_BYTES else None
    except ValueError:
        return None


def _reason(status: int, data: bytes) -> str:
    """Return what the body of an error says, briefly."""
    try:
        said = json.loads(data[:2000])["error"]
        return str(said["message"] if isinstance(said, dict) else said)[:300]
    except (ValueError, KeyError, TypeError):
        return httpx.codes.get_reason_phrase(status)


def _content(document: Any) -> str:
    """Return the text of the first choice; an empty one where there is none."""
    try:
        content = document["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""
