"""A tokenizer of transformers behind the engine's protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from demo.engines.local.tokenizer import Tokenizer
from demo.events import Piece


class Pretrained(Tokenizer):
    """Any tokenizer that transformers loads, without its warning about long texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = tokenizer.get_vocab()

    @property
    def eos_id(self) -> int | None:
        id: int | None = self._tokenizer.eos_token_id
        return id

    @property
    def special_ids(self) -> frozenset[int]:
        return frozenset(self._tokenizer.all_special_ids)

    @property
    def control_tokens(self) -> frozenset[str]:
        added = self._tokenizer.added_tokens_decoder.values()
        return frozenset(token.content for token in added if token.special)

    def token_id(self, token: str) -> int | None:
        id: int | None = self._vocabulary.get(token)
        return id

    def encode(self, text: str, raw: bool) -> list[int]:
        return list(self._tokenize(text, raw)["input_ids"])

    def locate(self, text: str, raw: bool) -> tuple[Piece, ...]:
        encoding = self._tokenize(text, raw, return_offsets_mapping=True)
        places = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        return tuple(Piece(id, start, stop) for id, (start, stop) in places)

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]]) -> str:
        conversation = [dict(turn) for turn in turns]
        return str(self._tokenizer.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False))

    def _tokenize(self, text: str, raw: bool, **options: bool) -> Mapping[str, Any]:
        encoding: Mapping[str, Any] = self._tokenizer(text, add_special_tokens=raw, verbose=False, **options)
        return encoding
