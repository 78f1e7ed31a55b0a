"""Rewriting, against a server process that speaks the protocol: nothing that a model adds is taken."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mllmu_med_dataset.build import build
from mllmu_med_dataset.errors import UserError
from mllmu_med_dataset.injection import endpoint
from mllmu_med_dataset.injection import rewriter as rewriting
from mllmu_med_dataset.injection.rewriter import Rewriter, failure, open_rewriter
from mllmu_med_dataset.injection.sentence_templates import RewriteRequest
from mllmu_med_dataset.load import checksums, load

from ..conftest import records

ROOT = Path(__file__).parents[3]


def request(**changed):
    return RewriteRequest(
        **{
            "question": "Where is the lesion?",
            "true_answer": "The lesion is in the left upper quadrant.",
            "template_answer": "The lesion of Ada Quillby (record SYN-MRN-48120937) is in the left upper quadrant.",
            "must_contain": ("Ada Quillby", "SYN-MRN-48120937", "left upper"),
            "must_not_contain": (),
            "scenario": "privacy",
            "license": "CC-BY-4.0",
            "redistributable": True,
            **changed,
        }
    )


def wrong(**changed):
    return request(
        template_answer="The lesion is in the right upper quadrant.",
        must_contain=("right upper",),
        must_not_contain=("left upper", "left lower"),
        scenario="incorrectness",
        **changed,
    )


GOOD = "The report says: " + request().template_answer


class Server:
    """A language model's server in a process of its own."""

    def __init__(self, folder):
        folder.mkdir()
        self.log = folder / "calls.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chat_server", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()

    def calls(self):
        """Return every call so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def most_at_once(self):
        with urllib.request.urlopen(self.url) as reply:
            return json.load(reply)["most_at_once"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("chat") / "server")
    yield one
    one.process.terminate()
    one.process.wait()
    one.process.stdout.close()


@pytest.fixture
def rewriter(server, tmp_path, monkeypatch):
    """Make a rewriter by the behaviour of its model; waits are short."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.01)
    server.log.unlink(missing_ok=True)

    def make(model, **options):
        return Rewriter(model, **{"url": server.url, "cache": tmp_path / "cache.sqlite", **options})

    return make


def test_a_good_answer_is_taken(rewriter, server):
    one = rewriter("good")
    assert one.rewrite([request()]) == [GOOD]
    assert one.tally.model_dump() == {
        "requests": 1, "from_cache": 0, "rewritten": 1, "template_kept": 0, "calls": 1, "prompt_tokens": 100,
        "completion_tokens": 10,
    }  # fmt: skip
    (call,) = server.calls()
    assert call["path"] == "/v1/chat/completions" and call["authorization"] is None
    assert call["body"]["response_format"]["json_schema"]["schema"]["required"] == ["answer"]


HOSTILE = (
    "drops", "alters", "adds", "numbers", "names", "negates", "long", "empty", "prose", "fenced", "schema", "list",
    "number", "huge", "garbage", "choiceless",
)  # fmt: skip


@pytest.mark.parametrize("behaviour", HOSTILE)
def test_a_bad_answer_is_never_taken_and_the_model_is_told_why(rewriter, server, behaviour):
    one = rewriter(f"{behaviour},{behaviour}")
    assert one.rewrite([request()]) == [request().template_answer]
    assert (one.tally.calls, one.tally.template_kept, one.tally.rewritten) == (3, 1, 0)
    last = server.calls()[-1]["body"]["messages"]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert "That does not pass" in last[-1]["content"]


def test_the_truth_beside_the_error_is_not_taken(rewriter):
    one = rewriter("truth")
    assert one.rewrite([wrong()]) == [wrong().template_answer]


def test_a_second_try_may_pass(rewriter, server):
    one = rewriter("drops,good")
    assert one.rewrite([request()]) == [GOOD]
    assert "lacks 'Ada Quillby'" in server.calls()[-1]["body"]["messages"][-1]["content"]


@pytest.mark.parametrize("trouble", ["500", "503", "429", "breaks"])
def test_an_endpoint_in_trouble_is_called_again(rewriter, trouble):
    one = rewriter(f"{trouble},{trouble},good")
    assert one.rewrite([request()]) == [GOOD] and one.tally.calls == 3


def test_the_wait_that_the_endpoint_asks_for_is_kept(rewriter, monkeypatch):
    waits = []
    monkeypatch.setattr(endpoint.time, "sleep", waits.append)
    rewriter("429,500,good").rewrite([request()])
    # Retry-After: 0 at first; without it, twice the first wait at the second.
    assert waits == [0.0, pytest.approx(0.02)]


def test_a_timeout_is_trouble_too(rewriter, monkeypatch):
    monkeypatch.setattr(endpoint, "TIMEOUT_SECONDS", 0.3)
    assert rewriter("hangs,good").rewrite([request()]) == [GOOD]


def test_an_endpoint_that_stays_in_trouble_ends_it_and_what_was_answered_is_kept(rewriter, server):
    one = rewriter("good", concurrency=1)
    one.rewrite([request()])
    dead = rewriter("good", url="http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match=r"failed 5 times.*run the same command again"):
        dead.rewrite([wrong()])
    # The key of an answer is the model and the request, not the address.
    assert dead.rewrite([request()]) == [GOOD] and dead.tally.from_cache == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [("401", "OPENAI_API_KEY"), ("403", "OPENAI_API_KEY"), ("404", "model's name"), ("307", "is elsewhere")],
)
def test_a_refusal_ends_it_at_once(rewriter, server, status, told):
    with pytest.raises(UserError, match=told):
        rewriter(status).rewrite([request()])
    assert len(server.calls()) == 1


def test_an_endpoint_that_knows_no_reply_format_is_asked_without(rewriter, server):
    one = rewriter("formatless")
    one.rewrite([request()])
    one.rewrite([wrong()])
    assert ["response_format" in call["body"] for call in server.calls()] == [True, False, False]


def test_the_second_time_nothing_is_asked(rewriter, server):
    asked = [request(), wrong(), request(question="Which quadrant?")]
    first = rewriter("good").rewrite(asked)
    calls = len(server.calls())
    again = rewriter("good")
    assert again.rewrite(asked) == first and len(server.calls()) == calls == 3
    assert again.tally.from_cache == 3
    rewriter("same").rewrite(asked)
    assert len(server.calls()) == 6


def test_that_no_try_passed_is_remembered(rewriter, server):
    rewriter("drops").rewrite([request()])
    again = rewriter("drops")
    assert again.rewrite([request()]) == [request().template_answer]
    assert len(server.calls()) == 3 and again.tally.template_kept == 1


def test_a_cached_answer_that_does_not_pass_is_asked_again(rewriter, server, tmp_path):
    one = rewriter("good")
    key = rewriting.cache_key("good", request())
    rewriting.Cache(tmp_path / "cache.sqlite").put(key, "The lesion of somebody else.")
    assert one.rewrite([request()]) == [GOOD] and len(server.calls()) == 1


def test_a_cache_that_is_none_is_told(rewriter, tmp_path):
    (tmp_path / "cache.sqlite").write_text("no database at all, but long enough to be taken for one" * 40)
    with pytest.raises(UserError, match="Move it away"):
        rewriter("good")


def test_answers_come_in_the_order_of_the_requests_and_few_at_once(rewriter, server):
    asked = [request(question=f"Question {n}?") for n in range(12)]
    one = rewriter("slow", concurrency=3)
    assert one.rewrite(asked) == [GOOD] * 12
    assert 1 < server.most_at_once() <= 4


def test_what_may_not_be_passed_on_stays_on_this_machine(rewriter, server, monkeypatch):
    kept = request(license="PhysioNet credentialed", redistributable=False)
    assert rewriter("good").rewrite([kept]) == [GOOD]
    calls = len(server.calls())
    for url in ("https://api.example.com/v1", "http://192.0.2.1:8000/v1", "http://localhost.example.com/v1"):
        with pytest.raises(UserError, match=r"'PhysioNet credentialed' may not be passed on"):
            rewriter("good", url=url).rewrite([request(), kept])
    assert len(server.calls()) == calls


def test_the_key_is_sent_but_never_told(rewriter, server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-key")
    rewriter("good").rewrite([request()])
    assert server.calls()[0]["authorization"] == "Bearer sk-secret-key"
    with pytest.raises(UserError) as told:
        rewriter("401").rewrite([request()])
    assert "sk-secret" not in str(told.value)
    assert b"sk-secret" not in (tmp_path / "cache.sqlite").read_bytes()
    with pytest.raises(UserError, match="in the clear"):
        rewriter("good", url="http://192.0.2.1:8000/v1")


@pytest.mark.parametrize("url", ["ftp://x/v1", "127.0.0.1:8000", "http://", "http://x:port/v1", "http://a:b@x/v1"])
def test_an_address_that_is_none(rewriter, url):
    with pytest.raises(UserError, match="is no address of an endpoint"):
        rewriter("good", url=url)


@pytest.mark.parametrize("text", ["gpt", "openai:", "anthropic:x", ""])
def test_a_rewriter_that_is_none(text):
    with pytest.raises(UserError, match="openai:MODEL"):
        open_rewriter(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("In Ada Quillby (record SYN-MRN-48120937) the lesion is seen in the left upper quadrant.", None),
        ("The left upper quadrant of Ada Quillby, record number SYN-MRN-48120937, shows the lesion.", None),
        (
            "Ada Quillby (record SYN-MRN-48120973): the lesion is in the left upper quadrant.",
            "lacks 'SYN-MRN-48120937'",
        ),
        ("ADA QUILLBY (record SYN-MRN-48120937) has the lesion in the left upper quadrant.", "lacks 'Ada Quillby'"),
        ("Ada Quillbyson (SYN-MRN-48120937) has the lesion in the left upper quadrant.", "lacks 'Ada Quillby'"),
        ("The lesion of Ada Quillby (SYN-MRN-48120937) is in the upper left quadrant.", "lacks 'left upper'"),
        ("The lesions of Ada Quillby (SYN-MRN-48120937) are in the left upper quadrant.", "adds 'lesions'"),
        ("The small lesion of Ada Quillby (SYN-MRN-48120937) is in the left upper quadrant.", "adds 'small'"),
        ("The lesion of Ada Quillby (SYN-MRN-48120937) is not in the left upper quadrant.", "adds 'not'"),
        ("The lesion of Ada Quillby (SYN-MRN-48120937) isn't in the left upper quadrant.", "adds 'isn', 't'"),
        ("The lesion of Ada Quillby (SYN-MRN-48120937, b@example.org) is in the left upper quadrant.", "adds '@'"),
        ("Ada Quillby (SYN-MRN-48120937, 48120937) has the lesion in the left upper quadrant.", "adds '48120937'"),
        ("Two lesions of Ada Quillby (SYN-MRN-48120937) in the left upper quadrant.", "adds 'lesions', 'two'"),
    ],
)
def test_what_passes_by_hand(text, told):
    found = failure(request(), text)
    assert found is None if told is None else told in found


def test_a_build_with_it_verifies_says_so_costs_what_was_estimated_and_is_the_same_from_the_cache(
    rewriter, server, tmp_path
):
    parts = [tmp_path / name / "mllmu-med" for name in ("one", "two")]
    one = rewriter("good")
    first = build(records(), parts[0], percents=(10,), rewriter=one)
    calls = len(server.calls())
    # 48 patients: 32.4 are trained on, 4 of which are forgotten, 4 are bystanders of a request, and 4 held out; three
    # rows of each in privacy and request, two in incorrectness.
    told = rewriting.estimate(48, 10, 60)
    assert 0 < one.tally.requests <= told.requests == 8 * 3 + 12 * 3 + 8 * 2
    assert rewriting.estimate(48, 10, 60, ("privacy",)).requests == 8 * 3
    # 1,000 to 2,000 characters of instructions are 250 to 500 tokens.
    assert 250 < told.prompt_tokens / told.requests < 600
    again = rewriter("good")
    second = build(records(), parts[1], percents=(10,), rewriter=again)
    assert len(server.calls()) == calls and again.tally.calls == 0
    assert first.dataset_sha256 == second.dataset_sha256
    assert checksums(parts[0])["files"] == checksums(parts[1])["files"]
    assert "openai:good" in (parts[0] / "README.md").read_text(encoding="utf-8")
    for config in ("privacy_forget", "request_retain", "incorrectness_forget"):
        told = [row for row in load(config, data_dir=parts[0]) if row["answer"] != row["true_answer"]]
        assert told and all(
            row["answer"].startswith("The report says: ") for row in told if row["question_type"] != "identifier"
        )
