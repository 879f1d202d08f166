"""The definitions, on one stream written by hand: an opening chunk, a half character, three tokens, the end token."""

import pytest

from demo.metric_definitions import DEFINITIONS, Chunk, Definition, Latencies, compare_definitions

STREAM = (
    Chunk(0.10, "", "opening"),
    Chunk(0.20, ""),  # half a character
    Chunk(0.30, "🌊"),
    Chunk(0.50, " sea"),
    Chunk(0.60, ""),  # the end token
    Chunk(0.70, "", "closing"),
)
SPAN, TEXT_SPAN, COUNT = 0.70 - 0.10, 0.50 - 0.30, 4

EXPECTED = {
    "this project": Latencies(0.30, (0.60 - 0.20) / 3, (0.60 - 0.20) / 3),
    "vLLM bench serve": Latencies(0.10, SPAN / 5, SPAN / (COUNT - 1)),
    "guidellm": Latencies(0.30, TEXT_SPAN / (COUNT - 1), 0.50 / COUNT),
    "aiperf, genai-perf": Latencies(0.30, TEXT_SPAN / (COUNT - 1), None),
    "inference-benchmarker": Latencies(0.30, TEXT_SPAN / (COUNT - 1), None),
    "inference-perf": Latencies(0.30, TEXT_SPAN, TEXT_SPAN / (COUNT - 1)),
    "llmperf": Latencies(0.30, 0.50 / COUNT, None),
}


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda each: each.tool)
def test_each_tool_computes_its_own_metrics_from_the_same_stream(definition: Definition) -> None:
    found = {each.tool: latencies for each, latencies in compare_definitions([STREAM])}
    for name in ("ttft", "itl", "tpot"):
        assert getattr(found[definition.tool], name) == pytest.approx(getattr(EXPECTED[definition.tool], name)), name


def test_where_every_chunk_is_one_token_with_text_the_tools_that_leave_the_prompt_out_agree() -> None:
    stream = [Chunk(1.0 + 0.1 * index, "word") for index in range(11)]
    for definition, latencies in compare_definitions([stream]):
        assert latencies.ttft == pytest.approx(1.0)
        includes_prompt = {"guidellm": "tpot", "llmperf": "itl"}.get(definition.tool)
        values = {"itl": latencies.itl, "tpot": latencies.tpot}
        if includes_prompt:
            assert values.pop(includes_prompt) == pytest.approx(2.0 / 11)
        assert all(value is None or value == pytest.approx(0.1) for value in values.values())


@pytest.mark.parametrize("stream", [[], [Chunk(0.1, "", "opening")], [Chunk(0.1, "one")]])
def test_a_metric_that_does_not_exist_is_none(stream: list[Chunk]) -> None:
    for _, latencies in compare_definitions([stream]):
        assert latencies.itl is None or len(stream) == 1  # llmperf's is the TTFT of a single token
        assert latencies.tpot is None or latencies.tpot == latencies.ttft  # guidellm's too


def test_of_several_streams_the_medians_are_compared() -> None:
    streams = [[Chunk(first, "a"), Chunk(first + 0.1, "b")] for first in (0.1, 0.2, 0.9)]
    assert {latencies.ttft for _, latencies in compare_definitions(streams)} == {0.2}
