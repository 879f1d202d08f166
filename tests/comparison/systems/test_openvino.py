from types import SimpleNamespace
from typing import Any

from tests.comparison.systems.openvino import generate


class Pipeline:
    """The used part of OpenVINO GenAI's pipeline, which generates two words."""

    def get_tokenizer(self) -> Any:
        return SimpleNamespace(apply_chat_template=lambda messages, add_generation_prompt: messages[0]["content"])

    def generate(self, prompts: list[str], options: Any, take: Any) -> Any:
        self.asked = prompts, options
        assert [take("warm "), take("milk")] == ["go on", "go on"]
        counts = SimpleNamespace(get_num_generated_tokens=lambda: 2, get_num_input_tokens=lambda: 9)
        return SimpleNamespace(perf_metrics=counts)


def test_pieces_are_passed_on_as_they_come_and_the_request_is_greedy_to_the_full_length() -> None:
    library = SimpleNamespace(
        GenerationConfig=lambda **options: options, StreamingStatus=SimpleNamespace(RUNNING="go on")
    )
    pipeline, heard = Pipeline(), list[str]()
    answer = generate(library, pipeline, [{"role": "user", "content": "Cheese?"}], 2, heard.append)
    assert answer == ("warm milk", 2, 9)
    assert heard == ["warm ", "milk"]
    prompts, options = pipeline.asked
    assert prompts == ["Cheese?"]
    assert options["ignore_eos"]
    assert not options["do_sample"]
