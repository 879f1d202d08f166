"""The program that tries again where the server refuses: a limit of one request, and another stream that holds it."""

import pytest

from tests.clients.programs import PATIENCE, assert_streamed, run_program, start_program
from tests.clients.serving import Served
from tests.clients.snippets import find_snippet, run_snippets
from tests.figures.wire import wait_until


@run_snippets("python-retry")
def test_a_refused_request_is_tried_again_until_the_other_stream_is_left(name: str, narrow: Served) -> None:
    snippet = find_snippet(name, narrow.url)
    expected = narrow.generate("What is Deep Learning?", max_new_tokens=12)
    before = narrow.count_overloaded()
    with narrow.occupied() as other, start_program(snippet.language, snippet.text) as program:
        wait_until(lambda: narrow.count_overloaded() > before, "nobody was refused", PATIENCE)
        assert program.process.poll() is None
        other.close()
        program.follow()
    assert_streamed(program, expected)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_huggingface_hub_raises_overloaded_errors(stream: bool, narrow: Served) -> None:
    source = f"""
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError
try:
    InferenceClient("{narrow.url}").text_generation("Hello", max_new_tokens=1, stream={stream})
except OverloadedError as error:
    print(error)
    response = error.__cause__.response
    print(response.status_code, response.headers["Retry-After"])
"""
    with narrow.occupied():
        ran = run_program("python", source)
    sentence, status, seconds = ran.text.replace("\n", " ").rsplit(maxsplit=2)
    assert sentence.startswith("Model is overloaded")
    assert status == "429"
    assert int(seconds) > 0
    assert ran.complaints == ""
