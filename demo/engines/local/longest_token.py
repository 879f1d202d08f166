"""How many bytes of a text one token can stand for: a text of more bytes than all tokens hold needs no encoding.

Knows the components of the `tokenizers` library. What it does not know to be bounded has no bound here: a component
that drops characters, a model without a token for every byte, an added token that takes the spaces around it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tokenizers import Tokenizer, models

from demo.engines.token_form import BYTES, LETTERS

# By how much each can shrink a text in UTF-8, at most. Three bytes of the Kelvin sign become the one of "k".
FORMS: Final = {"NFC": 3.5, "NFD": 3.0, "NFKC": 4.0, "NFKD": 4.0}
SHRINKING: Final = {**FORMS, "Lowercase": 3.0, "ByteLevel": 1.0, "Prepend": 1.0}
KEEPING: Final = {"ByteLevel", "Metaspace", "Split", "Digits", "Punctuation", "UnicodeScripts"}  # pre-tokenizers


@dataclass(frozen=True, slots=True)
class LongestToken:
    """The most bytes of UTF-8 that one token stands for: in a text of ASCII alone, and in any text.

    The `dropped` bytes do not count: the model has no token for them, and reads a text as if they were not there.
    """

    in_ascii: int
    in_any: int
    dropped: bytes = b""

    def find_limit(self, text: str, tokens: int) -> int:
        """The most bytes of `text`, or of a text of its kind, that fit into so many tokens."""
        return tokens * (self.in_ascii if text.isascii() else self.in_any)

    def count_bytes(self, text: str) -> int:
        """The bytes of `text` that count."""
        encoded = text.encode()
        return len(encoded.translate(None, self.dropped) if self.dropped else encoded)


def find_longest_token(backend: Tokenizer, vocabulary: Iterable[str]) -> LongestToken | None:
    """The bound of a tokenizer's tokens, of which `vocabulary` are the texts; None where there is none."""
    normalizers, cuts = (list(_list_parts(part)) for part in (backend.normalizer, backend.pre_tokenizer))
    dropped = _find_dropped(backend, [*normalizers, *cuts])
    if dropped is None or (dropped and normalizers):
        return None
    added = backend.get_added_tokens_decoder().values()
    takes_spaces = any(token.lstrip or token.rstrip for token in added)
    shrinking = _multiply_shrinking(normalizers)
    keeps_all = all(cut["type"] in KEEPING and cut.get("behavior") != "Removed" for cut in cuts)
    if shrinking is None or takes_spaces or backend.truncation or not keeps_all:
        return None
    # An added token is matched in the text as it is, before bytes become letters of the byte-level alphabet.
    longest = max((len(token.content.encode()) for token in added), default=0)
    longest = max(longest, _measure_longest(vocabulary))
    in_ascii, in_any = shrinking
    return LongestToken(int(longest * in_ascii), int(longest * in_any), dropped)


def _list_parts(component: Any) -> Iterator[Mapping[str, Any]]:
    """The descriptions of a normalizer or pre-tokenizer, and of each in a sequence of them."""
    described = [] if component is None else [json.loads(component.__getstate__())]
    for each in described:
        if each["type"] == "Sequence":
            described += each.get("normalizers") or each.get("pretokenizers") or ()
        else:
            yield each


def _find_dropped(backend: Tokenizer, parts: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The bytes that are read as if they were not there; None where that may be any part of a text."""
    model = backend.model
    if not isinstance(model, models.BPE):
        return None
    if any(part["type"] == "ByteLevel" for part in parts):
        return bytes(byte for letter, byte in LETTERS.items() if model.token_to_id(letter) is None)
    # Otherwise what has no token is dropped, or many characters are one unknown token.
    has_all = model.byte_fallback and all(model.token_to_id(byte) is not None for byte in BYTES)
    return b"" if has_all else None


def _multiply_shrinking(normalizers: Iterable[Mapping[str, Any]]) -> tuple[float, float] | None:
    """By how much all of them shrink ASCII, and any text, at most; None where that has no bound."""
    in_ascii, in_any = 1.0, 1.0
    for normalizer in normalizers:
        if (factors := _find_shrinking(normalizer)) is None:
            return None
        in_ascii, in_any = in_ascii * factors[0], in_any * factors[1]
    return in_ascii, in_any


def _find_shrinking(normalizer: Mapping[str, Any]) -> tuple[float, float] | None:
    """By how much a normalizer shrinks ASCII, and any text, at most; None where that has no bound."""
    if normalizer["type"] == "Replace":
        pattern, content = normalizer["pattern"].get("String"), normalizer["content"]
        if pattern is None or not content:
            return None
        factor = max(1.0, len(pattern.encode()) / len(content.encode()))
        return factor, factor
    known = SHRINKING.get(normalizer["type"])
    return None if known is None else (1.0, known)


def _measure_longest(vocabulary: Iterable[str]) -> int:
    """The bytes of the longest token. A letter of the byte-level alphabet is one byte."""
    longest = 0
    for token in sorted(vocabulary, key=len, reverse=True):
        if 4 * len(token) <= longest:
            break
        longest = max(longest, len(token) if LETTERS.keys() >= set(token) else len(token.encode()))
    return longest
