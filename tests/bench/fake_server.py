"""A server that streams scripted words on a known schedule, in every dialect, and stamps each write."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("The", " moon", " pulls", " é🌊", " the", " sea", ".")


@dataclass(frozen=True)
class Script:
    """The words and their times: `delay` seconds before the first token, `gap` before each other."""

    words: tuple[str, ...] = WORDS
    whole: str | None = None  # the text of whole replies, if it differs
    delay: float = 0.01
    gap: float = 0.003
    capacity: int = 1000  # streams at once; more are refused
    breaks_after: int | None = None  # tokens, then an error event
    cuts_after: int | None = None  # tokens, then the connection is closed; a whole reply lacks its last byte
    reports_times: bool = False
    is_native: bool = True
    refusal: int | None = None  # the status of every generation
    usage: dict[str, int] | None = None  # in an event after the last token
    replies: dict[str, Any] = field(default_factory=dict)  # to GET, by path
    api_key: str | None = None  # required in every request


@dataclass(frozen=True)
class Reply:
    """The times at which the server had read a request, wrote each token, and wrote the end."""

    path: str
    begun: float
    tokens: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)


class FakeServer(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for every connection

    def __init__(self, script: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.script = script
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.places = threading.Semaphore(script.capacity)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.connections += 1
        return True


@contextmanager
def serve(script: Script | None = None) -> Iterator[FakeServer]:
    """The server, listening until the block ends."""
    with FakeServer(script or Script()) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeServer
    timeout = 10  # seconds

    @property
    def script(self) -> Script:
        return self.server.script

    def do_GET(self) -> None:
        replies = {"/v1/models": {"data": [{"id": "fake/model"}, {"id": "other"}]}, **self.script.replies}
        if self.script.is_native:
            replies.setdefault("/info", {"model_id": "fake/model"})
        if not self._refuse_without_key():
            found = self.path in replies
            self._answer(200 if found else 404, replies[self.path] if found else {"error": "not here"})

    def do_POST(self) -> None:
        reply = Reply(self.path, time.perf_counter())
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "authorization": self.headers["Authorization"], **body})
        if self._refuse_without_key():
            return
        if self.script.refusal is not None:
            self._answer(self.script.refusal, {"error": "no such thing", "error_type": "validation"})
        elif not self.server.places.acquire(blocking=False):
            self._answer(429, {"error": "Model is overloaded", "error_type": "overloaded"})
        else:
            self.server.replies.append(reply)
            is_streamed = body.get("stream", self.path == "/generate_stream")
            (self._stream if is_streamed else self._reply)(reply)
            self.server.places.release()

    def _refuse_without_key(self) -> bool:
        key = self.script.api_key
        is_refused = key is not None and self.headers["Authorization"] != f"Bearer {key}"
        if is_refused:
            self._answer(401, {"error": "no key"})
        return is_refused

    def _stream(self, reply: Reply) -> None:
        self._begin({"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for index, word in enumerate(self.script.words):
            if index == self.script.breaks_after:
                self._write_event({"error": {"message": "out of memory"}})
                break
            if index == self.script.cuts_after:
                self.close_connection = True
                return
            self._generate(reply, index)
            self._write_event(self._make_event(reply, index, word))
        if self.script.usage:
            self._write_event({"choices": [], "usage": self.script.usage})
        reply.end.append(time.perf_counter())
        self.wfile.write(b"0\r\n\r\n")

    def _reply(self, reply: Reply) -> None:
        for index in range(len(self.script.words)):
            self._generate(reply, index)
        reply.end.append(time.perf_counter())
        headers = {f"X-{name.replace('_', '-')}": str(time) for name, time in self._make_timings(reply).items()}
        text, count = self.script.whole or "".join(self.script.words), len(self.script.words)
        openai = {"choices": [{"message": {"content": text}, "text": text}], "usage": {"completion_tokens": count}}
        native = {"generated_text": text, "details": {"generated_tokens": count}}
        self._answer(200, openai if "completions" in self.path else native, headers)

    def _generate(self, reply: Reply, index: int) -> None:
        time.sleep(self.script.gap if index else self.script.delay)
        reply.tokens.append(time.perf_counter())

    def _make_event(self, reply: Reply, index: int, word: str) -> dict[str, Any]:
        if "completions" in self.path:
            return {"choices": [{"delta": {"content": word}} if "chat" in self.path else {"text": word}]}
        is_last = index == len(self.script.words) - 1
        details = {"timings": self._make_timings(reply)} if is_last else None
        return {"index": index + 1, "token": {"text": word, "special": False}, "details": details}

    def _make_timings(self, reply: Reply) -> dict[str, float]:
        if not self.script.reports_times:
            return {}
        times = {"time_to_first_token": reply.tokens[0], "total_time": reply.tokens[-1]}
        return {name: 1000 * (time - reply.begun) for name, time in times.items()}

    def _answer(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        payload = json.dumps(body).encode()
        self._begin({"Content-Length": str(len(payload)), **(headers or {})}, status)
        self.close_connection = self.script.cuts_after is not None
        self.wfile.write(payload[: -1 if self.close_connection else None])

    def _begin(self, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _write_event(self, event: dict[str, Any]) -> None:
        payload = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(payload), payload))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
