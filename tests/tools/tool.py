"""The tools: how each is asked for the same requests, and where its report has its medians. Runs nothing.

guidellm's command was run with 0.8.1, aiperf's with 0.13.0, vLLM's with 0.32.0 for the CPU.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.metric_definitions import Latencies

NEW_TOKENS: Final = 64
REQUESTS: Final = 20
MILLISECONDS: Final = 1e3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tool is asked to measure: the server, its model, and a folder for the prompts and the report."""

    url: str
    model: str
    prompt: str
    folder: Path

    def write_prompts(self, row: Mapping[str, object]) -> Path:
        """A file of one row for each request."""
        path = self.folder / "prompts.jsonl"
        path.write_text(f"{json.dumps(row)}\n" * REQUESTS)
        return path


@dataclass(frozen=True, slots=True)
class Tool:
    """`name` is that of its definitions; `program` is in the virtual environment of `package`."""

    name: str
    package: str
    program: str
    write: Callable[[Plan], list[str]]
    report: str  # its file, in the folder
    read: Callable[[Any], Latencies]


def write_guidellm(plan: Plan) -> list[str]:
    """One request after the other, of its own prompts' length."""
    prompts = plan.write_prompts({"prompt": plan.prompt, "output_tokens_count": NEW_TOKENS})
    return [
        *("run", "--profile", "kind=synchronous", "--disable-console-interactive"),
        *("--backend", f"kind=openai_http,target={plan.url}"),
        *("--constraint", f"kind=max_requests,count={REQUESTS}"),
        *("--data", f"kind=json_file,path={prompts}"),
        *("--output", f"kind=json,path={plan.folder / 'guidellm.json'}"),
    ]


def read_guidellm(report: Any) -> Latencies:
    metrics = report["benchmarks"][0]["metrics"]

    def take(name: str) -> float:
        return float(metrics[name]["successful"]["median"]) / MILLISECONDS

    return Latencies(take("time_to_first_token_ms"), take("inter_token_latency_ms"), take("time_per_output_token_ms"))


def write_vllm(plan: Plan) -> list[str]:
    """`vllm bench serve`; the model's name is that of its tokenizer too."""
    prompts = plan.write_prompts({"prompt": plan.prompt})
    return [
        *("bench", "serve", "--backend", "openai-chat", "--base-url", plan.url, "--endpoint", "/v1/chat/completions"),
        *("--model", plan.model, "--dataset-name", "custom", "--dataset-path", str(prompts), "--skip-chat-template"),
        *("--custom-output-len", str(NEW_TOKENS), "--num-prompts", str(REQUESTS), "--max-concurrency", "1"),
        *("--temperature", "0", "--save-result", "--result-dir", str(plan.folder), "--result-filename", "vllm.json"),
    ]


def read_vllm(report: Any) -> Latencies:
    return Latencies(*(float(report[f"median_{name}_ms"]) / MILLISECONDS for name in ("ttft", "itl", "tpot")))


def write_aiperf(plan: Plan) -> list[str]:
    """`aiperf profile`; tokens are those that the server counts, as the definitions count them."""
    prompts = plan.write_prompts({"text": plan.prompt})
    return [
        *("profile", "--model", plan.model, "--url", plan.url, "--endpoint-type", "chat", "--streaming"),
        *("--input-file", str(prompts), "--custom-dataset-type", "single_turn", "--concurrency", "1"),
        *("--request-count", str(REQUESTS), "--extra-inputs", f"max_tokens:{NEW_TOKENS}"),
        *("--extra-inputs", "temperature:0", "--use-server-token-count", "--no-server-metrics", "--no-gpu-telemetry"),
        *("--ui", "none", "--artifact-dir", str(plan.folder)),
    ]


def read_aiperf(report: Any) -> Latencies:
    ttft, itl = (float(report[name]["p50"]) / MILLISECONDS for name in ("time_to_first_token", "inter_token_latency"))
    return Latencies(ttft, itl, None)


TOOLS: Final = (
    Tool("guidellm", "guidellm", "guidellm", write_guidellm, "guidellm.json", read_guidellm),
    Tool("vLLM bench serve", "vllm", "vllm", write_vllm, "vllm.json", read_vllm),
    Tool("aiperf, genai-perf", "aiperf", "aiperf", write_aiperf, "profile_export_aiperf.json", read_aiperf),
)
