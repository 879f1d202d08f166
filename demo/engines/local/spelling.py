"""How a token reads by itself: its text, and the bytes of one that is a part of a character. Knows no model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from demo.engines.local.detokenizer import INCOMPLETE, Decode
from demo.engines.token_form import decode_form

SPELLINGS: Final = 16_384  # that are kept: a model uses few of its tokens often


@dataclass(frozen=True, slots=True)
class Spelling:
    """The text of a token by itself; `encoded` are its bytes where they are not that text in UTF-8."""

    text: str
    encoded: bytes | None = None

    def encode(self) -> bytes:
        return self.text.encode() if self.encoded is None else self.encoded


Spell: TypeAlias = Callable[[int], Spelling]
Form: TypeAlias = str | bytes | None  # of a token in its vocabulary


def spell_tokens(decode: Decode, find_form: Callable[[int], Form]) -> Spell:
    """The spelling of any id, from a tokenizer's `decode`, special tokens included, and its vocabulary."""

    @lru_cache(SPELLINGS)
    def spell(id: int) -> Spelling:
        text = decode([id])
        if INCOMPLETE not in text:
            return Spelling(_keep_space(text, decode([id, id])))
        encoded = read_form(find_form(id))
        return Spelling(text, None if encoded in (None, text.encode()) else encoded)

    return spell


def read_form(form: Form) -> bytes | None:
    """The bytes that a token's form stands for."""
    return decode_form(form) if isinstance(form, str) else form


def _keep_space(text: str, twice: str) -> str:
    """The text with the leading space that a tokenizer strips from the beginning of what it decodes."""
    return twice[len(text) :] if twice.startswith(text) else text
