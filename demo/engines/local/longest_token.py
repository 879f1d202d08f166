"""How many bytes of a text one token can stand for: a text of more bytes than all tokens hold needs no encoding.

Knows the components of the `tokenizers` library. What it does not know to be bounded has no bound here: a component
that drops characters, a model without a token for every byte, an added token that takes the spaces around it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokenizers import Tokenizer, models, pre_tokenizers

ALPHABET: Final = frozenset(pre_tokenizers.ByteLevel.alphabet())
BYTES: Final = tuple(f"<0x{byte:02X}>" for byte in range(256))
# By how much each can shrink a text in UTF-8, at most. Three bytes of the Kelvin sign become the one of "k".
FORMS: Final = {"NFC": 3.5, "NFD": 3.0, "NFKC": 4.0, "NFKD": 4.0}
SHRINKING: Final = {**FORMS, "Lowercase": 3.0, "ByteLevel": 1.0, "Prepend": 1.0}
KEEPING: Final = {"ByteLevel", "Metaspace", "Split", "Digits", "Punctuation", "UnicodeScripts"}  # pre-tokenizers


@dataclass(frozen=True, slots=True)
class LongestToken:
    """The most bytes of UTF-8 that one token stands for: in a text of ASCII alone, and in any text."""

    in_ascii: int
    in_any: int

    def find_limit(self, text: str, tokens: int) -> int:
        """The most bytes of `text`, or of a text of its kind, that fit into so many tokens."""
        return tokens * (self.in_ascii if text.isascii() else self.in_any)


def find_longest_token(backend: Tokenizer) -> LongestToken | None:
    """The bound of a tokenizer's tokens; None where there is none."""
    normalizers, cuts = (list(_list_parts(part)) for part in (backend.normalizer, backend.pre_tokenizer))
    if backend.truncation or not all(_keeps_all(cut) for cut in cuts) or not _covers_all(backend, normalizers + cuts):
        return None
    added = backend.get_added_tokens_decoder().values()
    if any(token.lstrip or token.rstrip for token in added):
        return None
    in_ascii, in_any = 1.0, 1.0
    for normalizer in normalizers:
        if (factors := _find_shrinking(normalizer)) is None:
            return None
        in_ascii, in_any = in_ascii * factors[0], in_any * factors[1]
    # An added token is matched in the text as it is, before bytes become letters of the byte-level alphabet.
    longest = max(len(token.content.encode()) for token in added) if added else 0
    longest = max(longest, _measure_longest(backend.get_vocab(with_added_tokens=False)))
    return LongestToken(int(longest * in_ascii), int(longest * in_any))


def _list_parts(component: Any) -> Iterator[Mapping[str, Any]]:
    """The descriptions of a normalizer or pre-tokenizer, and of each in a sequence of them."""
    described = [] if component is None else [json.loads(component.__getstate__())]
    for each in described:
        if each["type"] == "Sequence":
            described += each.get("normalizers") or each.get("pretokenizers") or ()
        else:
            yield each


def _keeps_all(cut: Mapping[str, Any]) -> bool:
    return cut["type"] in KEEPING and cut.get("behavior") != "Removed"


def _covers_all(backend: Tokenizer, parts: list[Mapping[str, Any]]) -> bool:
    """Whether every text is tokens of its own characters: none is dropped, and no run of them is one unknown token."""
    model = backend.model
    if not isinstance(model, models.BPE):
        return False
    if any(part["type"] == "ByteLevel" for part in parts):
        return all(model.token_to_id(letter) is not None for letter in ALPHABET)
    return bool(model.byte_fallback) and all(model.token_to_id(byte) is not None for byte in BYTES)


def _find_shrinking(normalizer: Mapping[str, Any]) -> tuple[float, float] | None:
    """By how much a normalizer shrinks ASCII, and any text, at most; None where that has no bound."""
    if normalizer["type"] == "Replace":
        pattern, content = normalizer["pattern"].get("String"), normalizer["content"]
        if pattern is None or not content:
            return None
        factor = max(1.0, len(pattern.encode()) / len(content.encode()))
        return factor, factor
    factor = SHRINKING.get(normalizer["type"])
    return None if factor is None else (1.0, factor)


def _measure_longest(vocabulary: Mapping[str, int]) -> int:
    """The bytes of the longest token. A letter of the byte-level alphabet is one byte."""
    longest = 0
    for token in sorted(vocabulary, key=len, reverse=True):
        if 4 * len(token) <= longest:
            break
        longest = max(longest, len(token) if ALPHABET.issuperset(token) else len(token.encode()))
    return longest
