"""Whether `Retry-After` is right: a real server at its limit, and clients that ask until they are admitted.

A refusal is right where its `retry_after` is within 30 % of the time until the same request was admitted, or within
`GRAIN`, how often it is asked again. Others come and go meanwhile, but none takes the place that the client waits for:
which of two waiting clients is quicker, no server can foretell.
"""

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.figures.figure import Figure, summarise
from tests.figures.wire import TIMEOUT, start_app, wait_until_idle

LIMIT: Final = 16
ROUNDS: Final = 3
SEED: Final = 7
MAX_TTFT: Final = 1.5
GRAIN: Final = 0.1  # seconds between two requests of the client that waits
TOLERANCE: Final = 0.3
ARRIVAL: Final = 0.4  # seconds in which others' prompts arrive
HABIT: Final = 4  # answers of each of the others, after which it has been seen to come again and again
OTHERS: Final = 3  # clients that come and go
WORDS: Final = ("the", "sea", "a", "small", "village", "boat", "wind", "stone", "house", "under", "old", "tree")
ARGUMENTS: Final = ("--no-ui", "--max-concurrent-requests", str(LIMIT), "--trusted-proxies", "127.0.0.0/8")


@dataclass(frozen=True)
class Refusal:
    """What a refusal said, and how long the client really had to wait."""

    said: float | None
    waited: float

    @property
    def is_right(self) -> bool:
        return self.said is not None and abs(self.said - self.waited) <= max(TOLERANCE * self.waited, GRAIN)


class Visitor:
    """One client, at an address of its own."""

    def __init__(self, url: str, name: int, seed: int = SEED) -> None:
        self.url, self.random = url.removeprefix("http://"), random.Random(f"{seed} {name}")
        address = f"10.{seed}.{name // 250}.{1 + name % 250}"
        self._headers = {"Content-Type": "application/json", "X-Forwarded-For": address}

    def ask(self, body: Mapping[str, Any], path: str = "/generate_stream") -> float | http.client.HTTPResponse | None:
        """The response of an admitted request; or what a refusal said, in seconds."""
        connection = http.client.HTTPConnection(self.url, timeout=TIMEOUT)
        connection.request("POST", path, json.dumps(body), self._headers)
        response = connection.getresponse()
        if response.status == 200:
            return response
        assert response.status == 429, response.read()
        said = json.loads(response.read()).get("retry_after")
        return None if said is None else float(said)

    def hold(self, body: Mapping[str, Any]) -> threading.Thread | None:
        """A thread that reads the whole answer; None where the request is refused."""
        response = self.ask(body)
        if not isinstance(response, http.client.HTTPResponse):
            return None
        thread = threading.Thread(target=response.read, daemon=True)
        thread.start()
        return thread

    def wait(self, body: Mapping[str, Any], path: str = "/generate_stream") -> list[Refusal]:
        """Ask until the request is admitted, and read the answer."""
        said: list[tuple[float, float | None]] = []
        end = time.perf_counter() + TIMEOUT
        while True:
            asked = time.perf_counter()
            assert asked < end, "a request was refused for too long"
            answer = self.ask(body, path)
            if isinstance(answer, http.client.HTTPResponse):
                answer.read()
                return [Refusal(seconds, asked - at) for at, seconds in said]
            said.append((asked, answer))
            time.sleep(max(asked + GRAIN - time.perf_counter(), 0.0))

    def write(self, prompt: int, tokens: int, **more: Any) -> dict[str, Any]:
        """A body with a new prompt of about so many tokens, and an answer of exactly so many."""
        text = " ".join(self.random.choices(WORDS, k=max(prompt, 1)))
        return {"inputs": text, "parameters": {"max_new_tokens": tokens, "ignore_eos": True, "raw": True, **more}}


def measure_retry_after() -> Iterator[Figure]:
    """The share of refusals that were right, for each reason to refuse."""
    kinds: list[tuple[str, Callable[[str, int], list[Refusal]]]] = [
        ("the server is full", _wait_for_a_full_server),
        ("the client has its share", _wait_for_own_share),
        ("the client has its share, others come and go", _wait_beside_returning),
        ("three answers at once", _wait_for_three),
        ("the server is full, answers end by themselves", _wait_for_natural_ends),
    ]
    everything: list[Refusal] = []
    with start_app(*ARGUMENTS) as (_, url):
        _warm_up(url)
        for name, measure in kinds:
            refusals = _measure_rounds(url, measure)
            yield from _summarise(name, refusals)
            everything += refusals if measure is not _wait_for_natural_ends else []
    with start_app(*ARGUMENTS, "--max-ttft", str(MAX_TTFT)) as (_, url):
        _warm_up(url)
        refusals = _measure_rounds(url, _wait_for_ttft)
        yield from _summarise(f"the first token is predicted after more than {MAX_TTFT} s", refusals)
    yield from _summarise("all but those that end by themselves", [*everything, *refusals])


def _measure_rounds(url: str, measure: Callable[[str, int], list[Refusal]]) -> list[Refusal]:
    refusals: list[Refusal] = []
    for number in range(ROUNDS + 1):
        found = measure(url, number)
        refusals += found if number else []  # the first round is a warm-up: rates and lengths are learned
        wait_until_idle(url)
    return refusals


def _summarise(name: str, refusals: list[Refusal]) -> Iterator[Figure]:
    if not refusals:
        return
    right = [100.0 * refusal.is_right for refusal in refusals]
    yield Figure(f"right: {name}", "%", sum(right) / len(right), min(right), max(right), len(right))
    yield summarise(f"waited: {name}", "s", [refusal.waited for refusal in refusals])


def _warm_up(url: str) -> None:
    visitor = Visitor(url, 0)
    threads = [visitor.hold(visitor.write(length, 40)) for length in (5, 60, 250)]
    for thread in filter(None, threads):
        thread.join()
    for length in range(20, 120, 10):
        if (reading := visitor.hold(visitor.write(length, 2))) is not None:
            reading.join()
    _fill(url, ROUNDS)
    wait_until_idle(url)


def _fill(url: str, number: int, places: int = LIMIT, **more: Any) -> None:
    """Take so many places, for clients with different prompts and answers."""

    def take(client: int) -> None:
        visitor = Visitor(url, 100 + client, number)
        visitor.hold(visitor.write(visitor.random.randint(5, 200), visitor.random.randint(150, 450), **more))

    with ThreadPoolExecutor(places) as threads:
        list(threads.map(take, range(places)))


def _wait_for_a_full_server(url: str, number: int, name: int = 1, **more: Any) -> list[Refusal]:
    visitor = Visitor(url, name, number)
    _fill(url, number, **more)
    return visitor.wait(visitor.write(20, 4))


def _wait_for_own_share(url: str, number: int) -> list[Refusal]:
    """The client holds its share beside others."""
    _fill(url, number, LIMIT // 4)
    visitor = Visitor(url, 2, number)
    _take_share(visitor)
    return visitor.wait(visitor.write(20, 4))


def _wait_beside_returning(url: str, number: int) -> list[Refusal]:
    """The client holds its share, while others ask again and again."""
    visitor = Visitor(url, 6, number)
    with _come_and_go(url, number):
        _take_share(visitor)
        return visitor.wait(visitor.write(20, 4))


def _take_share(visitor: Visitor) -> None:
    bodies = [visitor.write(20, visitor.random.randint(150, 450)) for _ in range(LIMIT // 2)]
    with ThreadPoolExecutor(len(bodies)) as threads:
        list(threads.map(visitor.hold, bodies))


def _wait_for_three(url: str, number: int) -> list[Refusal]:
    """Fewer places are free than it takes; a full server refuses before it reads how many answers are asked for."""
    visitor = Visitor(url, 3, number)
    _fill(url, number, LIMIT - 2)
    body = {"prompt": "the sea", "max_tokens": 4, "n": 3, "temperature": 1.0, "raw": True, "ignore_eos": True}
    return visitor.wait(body, "/v1/completions")


def _wait_for_natural_ends(url: str, number: int) -> list[Refusal]:
    return _wait_for_a_full_server(url, number, name=4, ignore_eos=False, raw=False, do_sample=True)


def _wait_for_ttft(url: str, number: int) -> list[Refusal]:
    """Others have long prompts read."""

    def ask(client: int) -> None:
        other = Visitor(url, 300 + client, number)
        other.hold(other.write(other.random.randint(100, 400), 30))

    with ThreadPoolExecutor(LIMIT - 1) as threads:
        asking = threads.map(ask, range(LIMIT - 1))
        time.sleep(ARRIVAL)
        visitor = Visitor(url, 5, number)
        refusals = visitor.wait(visitor.write(visitor.random.randint(400, 600), 4))
        list(asking)
    return refusals


@contextmanager
def _come_and_go(url: str, number: int) -> Iterator[None]:
    """Other clients ask for short answers, one after the other each; all have done so `HABIT` times."""
    stopped, answered = threading.Event(), threading.Semaphore(0)

    def ask(client: int) -> None:
        visitor = Visitor(url, 400 + client, number)
        for count in itertools.count(1):
            if stopped.wait(visitor.random.uniform(0.1, 0.4)):
                return
            if (thread := visitor.hold(visitor.write(visitor.random.randint(5, 100), 40))) is not None:
                thread.join()
            if count == HABIT:
                answered.release()

    threads = [threading.Thread(target=ask, args=(client,), daemon=True) for client in range(OTHERS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        answered.acquire()
    yield
    stopped.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    for figure in measure_retry_after():
        print(figure, flush=True)
