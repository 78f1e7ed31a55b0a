"""A real server of one vision-language model on loopback, as far as lm-eval's chat completions need it.

    python -m tests.openai_server MODEL_FOLDER NAME

prints its address once it answers: ``GET /v1/models`` and ``POST /v1/chat/completions`` with images as data URIs. It
renders the model's own chat template and decodes greedily, one request at a time.
"""

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Answerer:
    """The model and its processor; one prompt is answered at a time."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        torch.set_num_threads(1)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto").eval()
        self.processor = AutoProcessor.from_pretrained(folder)
        self.lock = threading.Lock()

    def answer(self, messages: list[dict], max_tokens: int, stop: list[str]) -> str:
        """Return the greedy answer to chat messages, cut at the first stop."""
        import torch
        from PIL import Image

        images, turns = [], []
        for message in messages:
            parts = []
            for part in message["content"]:
                if part["type"] == "image_url":
                    encoded = part["image_url"]["url"].split("base64,")[1]
                    images.append(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))
                    parts.append({"type": "image"})
                else:
                    parts.append({"type": "text", "text": part["text"]})
            turns.append({"role": message["role"], "content": parts})
        text = self.processor.apply_chat_template(turns, add_generation_prompt=True)
        with self.lock, torch.inference_mode():
            inputs = self.processor(text=[text], images=images, return_tensors="pt")
            inputs = inputs.to(self.model.dtype)
            told = self.model.generate(**inputs, do_sample=False, max_new_tokens=max_tokens)
        answer = self.processor.tokenizer.decode(told[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for end in stop:
            answer = answer.split(end)[0] if end else answer
        return answer


def handler(answerer: Answerer, name: str) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests about one model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(200, {"object": "list", "data": [{"id": name, "object": "model"}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions" or asked["model"] != name:
                return self.reply(404, {"error": {"message": f"no {asked['model']} at {self.path}"}})
            try:
                text = answerer.answer(asked["messages"], asked["max_tokens"], asked.get("stop") or [])
            except (KeyError, ValueError, IndexError, TypeError) as error:
                return self.reply(400, {"error": {"message": repr(error)}})
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self.reply(200, {"object": "chat.completion", "model": name, "choices": [choice]})

        def reply(self, status: int, document: dict) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    return Handler


@contextmanager
def serving(folder: str | Path, name: str) -> Iterator[str]:
    """Run the server in a process of its own; yield its address, ending in ``/v1``."""
    command = [sys.executable, "-m", "tests.openai_server", str(folder), name]
    root = Path(__file__).parent.parent
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"the server ended with {process.wait()}")
            yield address
        finally:
            process.terminate()


def main() -> None:
    """Serve until ended."""
    folder, name = sys.argv[1:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(Answerer(folder), name))
    print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
