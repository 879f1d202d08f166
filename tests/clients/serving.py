"""The real app with the embedded model as its own process, and what a test asks it without any client's help."""

import json
import os
import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.figures.wire import start_app, wait_until

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready to answer."""

    url: str

    def open(self, path: str, body: Any = None) -> HTTPResponse:
        """The response, its body unread."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        response: HTTPResponse = urllib.request.urlopen(request, timeout=PATIENCE)
        return response

    def ask(self, path: str, body: Any = None) -> Any:
        with self.open(path, body) as response:
            return json.load(response)

    def generate(self, inputs: str, **parameters: Any) -> str:
        """What the model answers to `inputs`, whole."""
        return str(self.ask("/generate", {"inputs": inputs, "parameters": parameters})["generated_text"])

    def list_tokens(self, inputs: str, **parameters: Any) -> list[str]:
        """The text of each token of that."""
        body = {"inputs": inputs, "parameters": {**parameters, "details": True}}
        return [token["text"] for token in self.ask("/generate", body)["details"]["tokens"]]

    def chat(self, question: str, max_tokens: int) -> str:
        """What the model answers, greedily and whole."""
        messages = [{"role": "user", "content": question}]
        body = {"messages": messages, "max_tokens": max_tokens, "temperature": 0}
        return str(self.ask("/v1/chat/completions", body)["choices"][0]["message"]["content"])

    def count_overloaded(self) -> float:
        """How many requests were refused because others are being answered."""
        with self.open("/metrics") as response:
            text = response.read().decode()
        counted = re.search(r'^tgi_request_failure(?:_total)?\{err="overloaded"\} (\S+)', text, re.M)
        return float(counted[1]) if counted else 0.0

    def wait_until_idle(self) -> None:
        """Until no request is being answered: a stream that was left ends with its next token."""
        wait_until(lambda: not any(self.ask("/health")[which] for which in ("running", "waiting")), "the work goes on")

    @contextmanager
    def occupied(self) -> Iterator[HTTPResponse]:
        """Nothing but a stream is running, a minute long, until it is closed or the block ends."""
        self.wait_until_idle()
        body = {"inputs": "The first step in making cheese is to", "parameters": {"max_new_tokens": 2000}}
        with closing(self.open("/generate_stream", body)) as stream:
            assert stream.readline().startswith(b"data:")
            yield stream


@contextmanager
def serve(arguments: Sequence[str] = ()) -> Iterator[Served]:
    """Start the app without its page and without this process's settings, wait until it is ready, and end it."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("DEMO_", "SPACE_"))]:
                patch.delenv(name)
            _, url = stack.enter_context(start_app("--no-ui", "--threads", "1", *arguments))
        yield Served(url)
