from pathlib import Path

from tests.comparison.systems.generate import load
from tests.engines.local.tiny_files import save_folder


def test_generate_goes_on_to_the_full_length_and_each_token_is_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    text, tokens, prompt = load(str(save_folder(tmp_path)))([{"role": "user", "content": "moon"}], 6, heard.append)
    assert (tokens, len(heard)) == (6, 6)
    assert prompt > 1
    assert isinstance(text, str)
