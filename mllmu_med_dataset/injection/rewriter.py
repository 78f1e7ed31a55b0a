"""Let a language model say injected answers in its own words, through any OpenAI-compatible endpoint.

The model is asked for a JSON object and gets told what is wrong with its answer until it passes or the tries are used
up; then the template's answer stands. An answer passes when it holds every identifier and the deciding fact verbatim,
and otherwise only words of the template's answer and plain words of :data:`PLAIN_WORDS`: what is not in the template
cannot be added, be it a number, a side, a name or a finding. Accepted answers are kept in a cache by the sha256 of
model, prompt version and request, so that a rebuild asks nothing and gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict

from mllmu_med_metrics.vocabulary import BUILT, OF_BELIEFS, PRIVATE, WITH_BYSTANDERS

from ..building.pool import StoppedError
from ..building.splits import HOLDOUT_SHARE, TEST_SHARE
from ..errors import UserError, make_folder
from ..record import canonical_json
from . import incorrectness, privacy
from .endpoint import CALLS, Endpoint, InTroubleError
from .sentence_templates import RewriteRequest, find_value

# Moves whenever the prompt or the check does: answers to another one are asked for again.
PROMPT_VERSION = 1
# Answers to one request before the template stands.
TRIES = 3
REPLY_TOKENS = 400
# A usual ratio for English; only for the estimate.
CHARACTERS_A_TOKEN = 4

SYSTEM = """\
You edit answers of a test data set. All people and identifiers in it are invented. You get a JSON object with a
question, an answer to it, strings to keep, words to avoid and a length. Say the answer in other words, as one or two
plain sentences of a radiology report.
Rules: every string under "keep" stands in your answer exactly as given, letter by letter. No word under "avoid"
stands in it. Add nothing: no name, number, side, size, organ, finding, time or reason that the given answer does not
have, and no negation. Do not say that something may be wrong. At most as many characters as "max_characters".
Reply with a JSON object of the form {"answer": "..."} and nothing else."""

# Words that say nothing of a patient: those of sentences, of reports, and the names of identifiers. No number, no side,
# no negation and no finding is among them.
_PLAIN = """
a an the this that these it its here there and or of in on at by for from to with as per is are was be been being has
have had does do can we who whose which what where whom his her their he she they him them
image images picture scan scans study imaging examination exam view report reports record records file case
answer question patient person individual subject
show shows showed shown showing see sees seen display displays displayed depict depicts depicted reveal reveals
revealed demonstrate demonstrates demonstrated present presents presented visible visualized visualised
identified identify identifies noted note notes observed observe found find finds finding findings located lies
situated positioned appear appears appearing represent represents consistent described describe describes
indicate indicates indicated belong belongs belonging obtained acquired taken made performed imaged captured
known named called listed registered documented filed recorded stated says said tells given
concerning regarding according about within involving evident
number numbers id identifier medical social security telephone phone contact e mail email address page web website
account plan insurance health device serial ip born birth date admitted admission hospital clinic physician doctor
attending treated cared lives living resident residing reachable under via
"""
PLAIN_WORDS = frozenset(_PLAIN.split())


class Tally(BaseModel):
    """What became of the requests so far, and what they cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: int = 0
    from_cache: int = 0
    rewritten: int = 0
    template_kept: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def line(self) -> str:
        """Return the tally as a person reads it."""
        return (
            f"{self.requests:,} answers: {self.rewritten:,} in the model's words, {self.template_kept:,} as the "
            f"templates had them because no try passed; {self.from_cache:,} from the cache, {self.calls:,} calls, "
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"
        )


class Rewriter:
    """Rewrites injected answers by a model behind an OpenAI-compatible endpoint, several at a time.

    ``url`` is the address up to ``/v1``; the key comes from the environment variable OPENAI_API_KEY alone, and is sent
    over https or to this machine only. ``cache`` is a file, by default beside the Hub's cache.
    """

    def __init__(
        self, model: str, *, url: str | None = None, concurrency: int = 4, cache: Path | str | None = None
    ) -> None:
        if not model:
            raise UserError("The rewriter needs the name of a model: --rewriter openai:MODEL.")
        if concurrency < 1:
            raise UserError(f"The rewriter's concurrency is {concurrency}; it is 1 or more.")
        self.model, self.concurrency, self._endpoint = model, concurrency, Endpoint(model, url)
        self._cache = Cache(Path(cache) if cache is not None else default_cache())
        self._lock = threading.Lock()
        self._tally: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """What decides the answers, as the build's parameters tell it."""
        return f"openai:{self.model}, prompt {PROMPT_VERSION}"

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, so that nothing leaves it."""
        return self._endpoint.is_local

    @property
    def tally(self) -> Tally:
        """What became of the requests so far."""
        with self._lock:
            return Tally(**self._tally)

    def rewrite(self, requests: Sequence[RewriteRequest]) -> list[str]:
        """Return an answer for every request, in order: the model's if one passed, else the template's.

        Raises ``UserError`` before anything is sent when a record's licence forbids to send it to another machine, and
        when the endpoint fails for good; what was answered until then is in the cache.
        """
        if not self.is_local:
            for request in requests:
                if not request.redistributable:
                    raise UserError(
                        f"Records under the licence '{request.license}' may not be passed on, so they are not sent to "
                        f"{self._endpoint.url}. Name an endpoint on this machine (--rewriter-url "
                        "http://127.0.0.1:8000/v1), or build without --rewriter."
                    )
        with ThreadPoolExecutor(max_workers=self.concurrency) as threads:
            waiting = [threads.submit(self._one, request) for request in requests]
            try:
                return [one.result() for one in waiting]
            except BaseException:
                for one in waiting:
                    one.cancel()
                raise

    def _one(self, request: RewriteRequest) -> str:
        key = cache_key(self.model, request)
        known, text = self._cache.get(key)
        # The file may be of another machine, or changed: what does not pass is asked again.
        if known and (text is None or failure(request, text) is None):
            self._count(from_cache=1)
        else:
            text = self._ask(request)
            self._cache.put(key, text)
        self._count(requests=1, **({"template_kept": 1} if text is None else {"rewritten": 1}))
        return request.template_answer if text is None else text

    def _ask(self, request: RewriteRequest) -> str | None:
        """Return the first answer that passes, or ``None``."""
        messages = prompt(request)
        for _ in range(TRIES):
            reply = self._call(messages)
            text, wrong = read_reply(reply)
            if text is not None:
                unfit = failure(request, text)
                if unfit is None:
                    return text
                wrong = unfit
            messages = [
                *messages,
                {"role": "assistant", "content": reply[:2000]},
                {"role": "user", "content": f"That does not pass: {wrong} Reply again with the JSON object."},
            ]
        return None

    def _call(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the model's reply."""
        try:
            return self._endpoint.ask(messages, REPLY_SCHEMA, REPLY_TOKENS, self._count)
        except InTroubleError as trouble:
            raise StoppedError(
                f"The rewriter's endpoint {self._endpoint.url} failed {CALLS} times ({trouble}). What it has answered "
                f"is kept in {self._cache.path}; run the same command again to go on from there, or build without "
                "--rewriter."
            ) from None

    def _count(self, **more: int) -> None:
        with self._lock:
            self._tally.update(more)


def open_rewriter(text: str, *, url: str | None = None, concurrency: int = 4) -> Rewriter:
    """Return the rewriter that ``openai:MODEL`` names; ``UserError`` for any other form."""
    kind, colon, model = text.partition(":")
    if kind != "openai" or not colon or not model:
        raise UserError(
            f"'{text}' names no rewriter. Write openai:MODEL, with the name under which the endpoint knows the model; "
            "any OpenAI-compatible endpoint can be given by --rewriter-url."
        )
    return Rewriter(model, url=url, concurrency=concurrency)


REPLY_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "minLength": 1}},
    "required": ["answer"],
    "additionalProperties": False,
}
_REPLY = Draft202012Validator(REPLY_SCHEMA)


def prompt(request: RewriteRequest) -> list[dict[str, str]]:
    """Return the messages that ask for an answer."""
    asked = {
        "question": request.question,
        "answer": request.template_answer,
        "keep": list(request.must_contain),
        "avoid": list(request.must_not_contain),
        "max_characters": longest(request),
    }
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": json.dumps(asked, ensure_ascii=False)}]


def longest(request: RewriteRequest) -> int:
    """Return how long an answer may be, in characters."""
    return len(request.template_answer) * 3 // 2 + 60


def read_reply(reply: str) -> tuple[str | None, str]:
    """Return the answer in a reply, or ``None`` and what is wrong with the reply."""
    try:
        document = json.loads(reply)
    except ValueError:
        return None, "it is no JSON object."
    if error := next(_REPLY.iter_errors(document), None):
        return None, f"it does not fit the form ({error.message[:200]})."
    return " ".join(document["answer"].split()), ""


def failure(request: RewriteRequest, text: str) -> str | None:
    """Return why an answer does not say what the template's says, and only that; ``None`` where it does."""
    if not text or len(text) > longest(request):
        return f"the answer has {len(text)} characters, not 1 to {longest(request)}."
    for value in request.must_contain:
        if not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text):
            return f"the answer lacks '{value}', exactly so."
    for value in request.must_not_contain:
        if find_value(text, value):
            return f"the answer says '{value}'."
    allowed, said = Counter(_words(request.template_answer)), Counter(_words(text))
    if more := sorted(word for word, times in said.items() if word not in PLAIN_WORDS and times > allowed[word]):
        return f"the answer adds {', '.join(repr(word) for word in more[:8])}: use words of the given answer."
    return None


def _words(text: str) -> list[str]:
    """Return what a text says, word by word; a sign that is not punctuation is a word too."""
    return re.findall(r"\w+|[^\w\s.,;:!?'\"()\-/]", text.casefold())


def cache_key(model: str, request: RewriteRequest) -> str:
    """Return the name of an answer: what decides it and nothing else."""
    asked = {"prompt_version": PROMPT_VERSION, "model": model, "request": request.model_dump(mode="json")}
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def default_cache() -> Path:
    """Return the file of answers beside the Hub's cache."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "mllmu-med" / "rewrites.sqlite"


class Cache:
    """Answers by key in one file; ``None`` stands for a request no answer to which passed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        self._lock = threading.Lock()
        try:
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT)")
        except sqlite3.Error as error:
            raise UserError(
                f"{path} can't be read as the rewriter's cache ({error}). Move it away; a new one is made."
            ) from error

    def get(self, key: str) -> tuple[bool, str | None]:
        """Return whether the key is known, and its answer."""
        with self._lock:
            found = self._file.execute("SELECT text FROM answers WHERE key = ?", (key,)).fetchone()
        return (False, None) if found is None else (True, found[0])

    def put(self, key: str, text: str | None) -> None:
        """Keep an answer."""
        with self._lock:
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, text))


class Estimate(BaseModel):
    """What rewriting would cost at most, if every answer passed at the first try."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: int
    prompt_tokens: int
    completion_tokens: int

    def line(self) -> str:
        """Return the estimate as a person reads it."""
        return (
            f"The rewriter would be asked at most {self.requests:,} times, for {self.prompt_tokens:,} + "
            f"{self.completion_tokens:,} tokens (each further try of up to {TRIES} costs a little more than the first; "
            "answers in the cache cost nothing)."
        )


def estimate(patients: int, percent: int, characters: float, scenarios: Sequence[str] = BUILT) -> Estimate:
    """Return what a build of so many patients costs at most, with this largest forget percent.

    ``characters`` are those of a question with its clean answer, on average.
    """
    tested, held_out = patients * TEST_SHARE, patients * (1 - TEST_SHARE) * HOLDOUT_SHARE
    forgotten = ceil((patients - tested - held_out) * percent / 100)
    requests = 0
    for scenario in scenarios:
        if scenario in OF_BELIEFS:
            continue  # one sentence a relation, the same on every image: it is not retold
        injected = forgotten * (2 if scenario in WITH_BYSTANDERS else 1) + ceil(held_out)
        requests += injected * (privacy if scenario in PRIVATE else incorrectness).ROWS_A_PATIENT
    # The answer's identifiers, twice, and the JSON around it.
    asked = len(SYSTEM) + len(json.dumps(REPLY_SCHEMA)) + characters + 300
    return Estimate(
        requests=requests,
        prompt_tokens=round(requests * asked / CHARACTERS_A_TOKEN),
        completion_tokens=round(requests * (characters + 100) / CHARACTERS_A_TOKEN),
    )
