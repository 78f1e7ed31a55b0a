"""A language model's server on 127.0.0.1: POST /v1/chat/completions as OpenAI defines it, good and hostile.

    python -m tests.chat_server FOLDER      prints its address, serves until it is ended

The model's name says how it behaves: ``drops,good`` drops an identifier at the first call about a request and answers
well at the second; the last behaviour goes on. ``FOLDER/calls.jsonl`` tells every call.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


def good(asked: dict) -> str:
    """Return the answer in other words."""
    return f"The report says: {asked['answer']}"


def reply(behaviour: str, asked: dict) -> str:
    """Return what the model says."""
    answers = {
        "good": good(asked),
        "same": asked["answer"],
        "drops": good(asked).replace(asked["keep"][0], "the patient"),
        "alters": good(asked).translate(str.maketrans("0123456789", "1234567890")),
        "adds": good(asked).rstrip(".") + ", with metastases.",
        "numbers": good(asked).rstrip(".") + " in 3 places.",
        "names": "Maria says: " + good(asked),
        "negates": good(asked).replace("says", "does not say"),
        "truth": good(asked) + " It is " + " or ".join(asked["avoid"]) + ".",
        "long": good(asked) + " the image shows" * 200,
        "empty": "",
    }
    if behaviour in answers:
        return json.dumps({"answer": answers[behaviour]})
    return {
        "prose": good(asked),
        "fenced": f"```json\n{json.dumps({'answer': good(asked)})}\n```",
        "schema": json.dumps({"answer": good(asked), "confidence": 1}),
        "list": json.dumps([good(asked)]),
        "number": json.dumps({"answer": 7}),
    }[behaviour]


class Handler(BaseHTTPRequestHandler):
    """One call."""

    folder: Path
    lock = threading.Lock()
    seen: ClassVar[Counter] = Counter()
    at_once = most_at_once = 0

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send(200, json.dumps({"most_at_once": Handler.most_at_once}).encode())

    def do_POST(self) -> None:
        """Answer as the model's name says."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = json.loads(body["messages"][1]["content"])
        with self.lock:
            Handler.at_once += 1
            Handler.most_at_once = max(Handler.most_at_once, Handler.at_once)
            number = self.seen[body["model"], body["messages"][1]["content"]]
            self.seen[body["model"], body["messages"][1]["content"]] += 1
            with open(self.folder / "calls.jsonl", "a", encoding="utf-8") as log:
                told = {"path": self.path, "authorization": self.headers.get("Authorization"), "body": body}
                log.write(json.dumps(told) + "\n")
        try:
            behaviours = body["model"].split(",")
            self.behave(behaviours[min(number, len(behaviours) - 1)], asked, body)
        finally:
            with self.lock:
                Handler.at_once -= 1

    def behave(self, behaviour: str, asked: dict, body: dict) -> None:
        if behaviour.isdecimal():
            headers = {"Retry-After": "0"} if behaviour == "429" else {}
            if behaviour == "307":
                headers["Location"] = "http://127.0.0.1:1/v1/chat/completions"
            return self.send(int(behaviour), b'{"error": {"message": "made to fail"}}', headers)
        if behaviour == "formatless" and "response_format" in body:
            return self.send(400, b'{"error": {"message": "response_format is not known here"}}')
        if behaviour == "hangs":
            time.sleep(3)
            return None
        if behaviour == "breaks":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            self.close_connection = True
            return None
        if behaviour == "huge":
            return self.send(200, b'{"choices": [' + b" " * (2 * 2**20) + b"]}")
        if behaviour == "garbage":
            return self.send(200, b"\xff\xfe not json")
        if behaviour == "choiceless":
            return self.send(200, b'{"choices": []}')
        if behaviour == "slow":
            time.sleep(0.15)
        spoken = {"formatless": "good", "slow": "good"}.get(behaviour, behaviour)
        content = reply(spoken, asked)
        document = {
            "id": "chatcmpl-1", "object": "chat.completion", "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }  # fmt: skip
        self.send(200, json.dumps(document).encode())

    def send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until ended."""
    Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
