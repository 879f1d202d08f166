"""LangChain, LlamaIndex, LiteLLM, the AI SDK and OpenAI's JavaScript, as they are: what each makes of the replies.

Each is asked the same by a program of its own; all run at once. Beside the model's server there is one that refuses
every question the first time.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import pytest
from playwright.sync_api import sync_playwright

from demo.engine import Log, Ticket
from demo.errors import Overloaded
from demo.request import Request
from demo.settings import Settings
from tests.api.script import HELLO, AnsweringEngine
from tests.api.serving import serve_api
from tests.browser.chromium import launch
from tests.clients.programs import HERE, run_file
from tests.clients.serving import Served, serve
from tests.file_server import serve_files

PROGRAMS: Final = {
    "LangChain": HERE / "frameworks" / "ask_langchain.py",
    "LlamaIndex": HERE / "frameworks" / "ask_llama_index.py",
    "LiteLLM": HERE / "frameworks" / "ask_litellm.py",
    "AI SDK": HERE / "js" / "ask_ai_sdk.mjs",
    "openai in Node": HERE / "js" / "ask_openai.mjs",
}
PAGE: Final = "openai on a page"
ALL: Final = (*PROGRAMS, PAGE)
RESPONDING: Final = ("LangChain", "openai in Node", PAGE)  # those that were asked to use /v1/responses
QUESTION: Final = "What is Deep Learning?"
TOKENS: Final = 12
STOP: Final = " is"
THINGS: Final = (
    "rain snow bread wood iron gold cats dogs birds fish trees rivers ships trains cars bees milk salt glass wool"
)
PROMPTS: Final = [f"What is the use of {thing}?" for thing in THINGS.split()]
FEW: Final = 3
# A conversation with a system's message, and at its end a text in parts.
BEGUN: Final = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "Name a cheese."},
    {"role": "assistant", "content": "Gouda"},
]
PARTS: Final = ("Name ", "another.")
PATIENCE: Final = 0.05  # seconds
PLAN: Final = {
    **{"question": QUESTION, "tokens": TOKENS, "stop": STOP, "prompts": PROMPTS[:FEW], "long": "word " * 6000},
    "conversation": [*BEGUN, {"role": "user", "content": [{"type": "text", "text": text} for text in PARTS]}],
}


class BusyEngine(AnsweringEngine):
    """Refuses each prompt the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[Any] = set()

    def submit(self, request: Request, log: Log) -> Ticket:
        if request.prompt in self.refused:
            return super().submit(request, log)
        self.refused.add(request.prompt)
        raise Overloaded("Model is overloaded: try again in a moment.", PATIENCE)


def run_page(origin: str, plan: Mapping[str, Any]) -> Any:
    """What the program of OpenAI's client tells on a page, where nothing may go wrong unseen."""
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.goto(f"{origin}/page.html")
        return page.evaluate("async (plan) => (await import('./ask_openai.mjs')).ask(plan)", plan)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with serve_files(HERE / "js") as origin:
        yield origin


@pytest.fixture(scope="module")
def model(origin: str) -> Iterator[Served]:
    with serve(["--cors-allow-origin", origin, "--max-concurrent-requests", "256"]) as served:
        yield served


@pytest.fixture(scope="module")
def reports(origin: str, model: Served) -> "Iterator[Mapping[str, Future[Any]]]":

    def run(name: str) -> Any:
        more = {"page": name == PAGE, "prompts": PROMPTS if name == "LangChain" else PLAN["prompts"]}
        plan = {**PLAN, **more, "url": model.url, "busy": busy}
        return run_page(origin, plan) if name == PAGE else json.loads(run_file(PROGRAMS[name], json.dumps(plan)).text)

    settings = Settings(port=0, cors_allow_origin=(origin,))
    with serve_api(BusyEngine(), settings) as busy, ThreadPoolExecutor(len(ALL)) as threads:
        yield {name: threads.submit(run, name) for name in ALL}


@pytest.fixture(params=ALL)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def told(name: str, reports: "Mapping[str, Future[Any]]") -> Any:
    """One client's report."""
    return reports[name].result()


def chat(model: Served, **more: Any) -> Any:
    """The same, asked without any client's help."""
    asked = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": TOKENS, "temperature": 0}
    return model.ask("/v1/chat/completions", {**asked, **more})


def read_text(reply: Any) -> str:
    return str(reply["choices"][0]["message"]["content"])


def test_a_chat_is_answered_whole_and_in_pieces_and_its_tokens_are_counted(told: Any, model: Served) -> None:
    expected = chat(model)
    usage = [expected["usage"]["prompt_tokens"], TOKENS]
    assert (told["whole"], told["finish"], told["usage"]) == (read_text(expected), "length", usage)
    assert ("".join(told["pieces"]), told["streamed_usage"]) == (read_text(expected), usage)
    assert len(told["pieces"]) > 2


def test_a_stop_string_ends_the_answer(told: Any, model: Served) -> None:
    assert told["stopped"] == read_text(chat(model, stop=[STOP]))
    assert told["stopped"] == told["whole"].partition(STOP)[0]


def test_a_conversation_with_a_system_message_and_parts_is_read_as_one_of_plain_texts(told: Any, model: Served) -> None:
    messages = [*BEGUN, {"role": "user", "content": "".join(PARTS)}]
    assert told["conversation"] == read_text(chat(model, messages=messages))


def test_prompts_are_completed_each_in_its_place(name: str, told: Any, model: Served) -> None:
    prompts = PROMPTS if name == "LangChain" else PROMPTS[:FEW]
    written = (
        [f"user:\n{prompt}\n\nassistant:\n" for prompt in prompts] if name == "AI SDK" else prompts
    )  # its own form
    body = {"prompt": written, "max_tokens": TOKENS, "temperature": 0}
    expected = [choice["text"] for choice in model.ask("/v1/completions", body)["choices"]]
    assert told["completed"] == expected
    assert len(set(expected)) == len(prompts)


def test_too_long_a_question_is_recognised(name: str, told: Any) -> None:
    recognised = "ContextWindowExceededError" if name == "LiteLLM" else "context_length_exceeded"
    assert recognised in told["too_long"]
    assert "`inputs` tokens + `max_new_tokens` must be <= " in told["too_long"]


def test_a_busy_server_is_asked_again_or_told_of_as_the_client_is_set(told: Any) -> None:
    assert told["retried"] == "".join(token.text for token in HELLO.tokens)
    assert float(told["refused"]) == PATIENCE * 1000


@pytest.mark.parametrize("name", RESPONDING)
def test_the_responses_api_answers_the_same(told: Any) -> None:
    assert told["responses"] == [told["whole"]] * 2


def test_litellm_falls_back_to_another_server_where_a_question_is_too_long(
    reports: "Mapping[str, Future[Any]]",
) -> None:
    assert reports["LiteLLM"].result()["fallen_back"] == "".join(token.text for token in HELLO.tokens)


def test_langchain_answers_the_questions_of_a_chain_at_once(
    reports: "Mapping[str, Future[Any]]", model: Served
) -> None:
    asked = [[{"role": "user", "content": prompt}] for prompt in PROMPTS[:FEW]]
    assert reports["LangChain"].result()["chained"] == [read_text(chat(model, messages=each)) for each in asked]


@pytest.mark.parametrize("name", ["openai in Node", PAGE])
def test_openais_client_reads_who_answers_and_which_request_it_was(told: Any) -> None:
    assert told["helped"] == {"role": "assistant", "content": told["whole"]}
    assert told["request_id"]
