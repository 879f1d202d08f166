"""A tokenizer of transformers behind the engine's protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer as Backend
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from demo.engine import Piece
from demo.engines.local.longest_token import find_longest_token
from demo.engines.local.tokenizer import NO_OPTIONS, Tokenizer, TooManyTokens, encode_text, locate_tokens


class Pretrained(Tokenizer):
    """Any tokenizer that transformers loads, without its warning about long texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = tokenizer.get_vocab()
        self.backend = find_backend(tokenizer)
        self.longest = None if self.backend is None else find_longest_token(self.backend, self._vocabulary)
        self.size = len(tokenizer)
        self.eos_id = tokenizer.eos_token_id
        self.special_ids = frozenset(tokenizer.all_special_ids)
        added = tokenizer.added_tokens_decoder.values()
        self.control_tokens = frozenset(token.content for token in added if token.special)
        self.chat_template = str(tokenizer.chat_template) if tokenizer.chat_template else None

    def token_id(self, token: str) -> int | None:
        id: int | None = self._vocabulary.get(token)
        return id

    def token(self, id: int) -> str | bytes | None:
        form = self._tokenizer.convert_ids_to_tokens(id)
        return None if isinstance(form, list) else form

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        if self.backend is not None:
            return encode_text(self.backend, text, raw, limit)
        ids = list(self._tokenize(text, raw)["input_ids"])
        _check_count(len(ids), limit)
        return ids

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        if self.backend is not None:
            return locate_tokens(self.backend, text, raw, limit, first)
        encoding = self._tokenize(text, raw, return_offsets_mapping=True)
        _check_count(len(encoding["input_ids"]), limit)
        places = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        return tuple(Piece(id, start, stop) for id, (start, stop) in places)[first:]

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any] = NO_OPTIONS) -> str:
        conversation = [dict(turn) for turn in turns]
        known: dict[str, Any] = {"add_generation_prompt": True, "tokenize": False}
        return str(self._tokenizer.apply_chat_template(conversation, **(dict(options) | known)))

    def _tokenize(self, text: str, raw: bool, **options: bool) -> Mapping[str, Any]:
        encoding: Mapping[str, Any] = self._tokenizer(text, add_special_tokens=raw, verbose=False, **options)
        return encoding


def find_backend(tokenizer: PreTrainedTokenizerBase) -> Backend | None:
    """The library's tokenizer that gives the ids of `tokenizer`; None where Python code changes them."""
    kind = type(tokenizer)
    for name, owner in (("__call__", PreTrainedTokenizerBase), ("_encode_plus", PreTrainedTokenizerFast)):
        if getattr(kind, name, None) is not getattr(owner, name):
            return None
    tokenizer("", verbose=False)  # sets the library's options, which threads that encode must not change
    found: Backend = tokenizer.backend_tokenizer
    return found


def _check_count(count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        raise TooManyTokens(count)
