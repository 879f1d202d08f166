"""What is read in the tools' reports, which prompts they get, and when their numbers agree with this project's."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import snapshot_download
from transformers import AutoTokenizer

from demo.metric_definitions import DEFINITIONS, Latencies
from tests.tools.__main__ import compare
from tests.tools.hub_cache import write_hub_cache
from tests.tools.tool import REQUESTS, TOOLS, Plan

GUIDELLM = {"time_to_first_token_ms": 100, "inter_token_latency_ms": 10, "time_per_output_token_ms": 20}
REPORTS: dict[str, Any] = {
    "guidellm": {"benchmarks": [{"metrics": {name: {"successful": {"median": ms}} for name, ms in GUIDELLM.items()}}]},
    "vllm": {"median_ttft_ms": 100, "median_itl_ms": 10, "median_tpot_ms": 20},
    "aiperf": {"time_to_first_token": {"p50": 100}, "inter_token_latency": {"p50": 10}},
}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.package)
def test_each_tool_gets_the_same_prompt_so_many_times_and_its_medians_are_read(tool: Any, tmp_path: Path) -> None:
    command = tool.write(Plan("http://127.0.0.1:1", "a-model", "Once", tmp_path))
    assert any("http://127.0.0.1:1" in part for part in command)
    rows = [json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text().splitlines()]
    assert len(rows) == REQUESTS
    assert all("Once" in row.values() for row in rows)
    assert tool.name in {each.tool for each in DEFINITIONS}
    tpot = None if tool.package == "aiperf" else 0.02
    assert tool.read(REPORTS[tool.package]) == Latencies(0.1, 0.01, tpot)


def test_tools_find_the_tokenizer_by_the_models_name_without_a_connection(tmp_path: Path) -> None:
    told = write_hub_cache(tmp_path, "org/a-model")
    folder = snapshot_download("org/a-model", cache_dir=told["HF_HUB_CACHE"], local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer.encode("Once upon")) == "Once upon"
    assert "<|im_start|>user" in tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)


def test_numbers_agree_within_five_per_cent_or_two_milliseconds() -> None:
    told = list(compare("a", Latencies(0.1049, 0.0119, 0.023), Latencies(0.1, 0.01, 0.02)))
    assert [is_close for _, is_close in told] == [True, True, False]
    assert len(list(compare("a", Latencies(0.1, 0.01, None), Latencies(0.1, 0.01, None)))) == 2
