"""Messages whose special tokens are plain text: `--no-special-tokens-in-text`. Knows no runner.

The template's own special tokens get secret names, and a copy of the tokenizer knows them by these alone. Whatever else
the text of a conversation holds is encoded as that tokenizer encodes any text, with the same borders between pieces.
"""

import json
import re
import secrets
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

from tokenizers import Tokenizer as Backend

from demo.engine import Piece
from demo.engines.local.longest_token import find_longest_token
from demo.engines.local.tokenizer import NO_OPTIONS, Tokenizer, encode_text, locate_tokens
from demo.errors import BadRequest, SettingError

PRIVATE: Final = 0xF0000  # where Unicode's second area for private use begins


class LiteralText(Tokenizer):
    """`tokenizer`, except for the text of conversations, in which special tokens are plain text and have secret names.

    Raises SettingError where the tokenizer does not allow that.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if tokenizer.backend is None:
            raise SettingError(
                "--no-special-tokens-in-text needs a tokenizer of the `tokenizers` library, and this model has "
                "another: leave it out."
            )
        self._tokenizer = tokenizer
        self._secrets = {token: secrets.token_hex(16) for token in tokenizer.control_tokens}
        self._control = _match_any(self._secrets)
        self._secret = _match_any(self._secrets.values())
        self._names = {secret: token for token, secret in self._secrets.items()}
        self._renamed = rename_tokens(tokenizer.backend, self._secrets)
        self.longest = find_longest_token(self._renamed, self._renamed.get_vocab())
        self.backend, self.size, self.chat_template = tokenizer.backend, tokenizer.size, tokenizer.chat_template
        self.eos_id, self.special_ids = tokenizer.eos_id, tokenizer.special_ids
        self.control_tokens = tokenizer.control_tokens

    def token_id(self, token: str) -> int | None:
        return self._tokenizer.token_id(token)

    def token(self, id: int) -> str | bytes | None:
        return self._tokenizer.token(id)

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return self._tokenizer.decode(ids, special)

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        if raw:
            return self._tokenizer.encode(text, raw, limit)
        return encode_text(self._renamed, text, raw, limit)

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        if raw:
            return self._tokenizer.locate(text, raw, limit, first)
        return locate_tokens(self._renamed, text, raw, limit, first)

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any] = NO_OPTIONS) -> str:
        """The text of a conversation, with secret names for the template's own special tokens.

        Raises BadRequest for special tokens in `options`, which a template may write anywhere.
        """
        if found := self._control.search(json.dumps(dict(options), ensure_ascii=False)):
            raise BadRequest(f"`chat_template_kwargs` hold the special token {found[0]!r}: leave it out.")
        stand_ins = self._choose_stand_ins("".join(text for turn in turns for text in turn.values()))
        hidden = [{name: self._control.sub(lambda m: stand_ins[m[0]], text) for name, text in t.items()} for t in turns]
        text = self._tokenizer.apply_chat_template(hidden, options)
        text = self._control.sub(lambda match: self._secrets[match[0]], text)
        shown = {stand_in: token for token, stand_in in stand_ins.items()}
        return _match_any(shown).sub(lambda match: shown[match[0]], text)

    def _choose_stand_ins(self, text: str) -> dict[str, str]:
        """A character that `text` lacks for each special token in it: the template sees that instead."""
        unused: Iterator[str] = (each for each in map(chr, count(PRIVATE)) if each not in text)
        return {token: next(unused) for token in dict.fromkeys(self._control.findall(text))}

    def restore(self, text: str, pieces: Sequence[Piece]) -> tuple[str, tuple[Piece, ...]]:
        """The text with the tokens' own names."""
        found = [(match.end(), len(self._names[match[0]]) - len(match[0])) for match in self._secret.finditer(text)]
        ends, moved = [end for end, _ in found], [0]
        for _, longer in found:
            moved.append(moved[-1] + longer)

        def place(at: int) -> int:
            return at + moved[bisect_right(ends, at)]

        shown = self._secret.sub(lambda match: self._names[match[0]], text)
        return shown, tuple(replace(each, start=place(each.start), stop=place(each.stop)) for each in pieces)


def rename_tokens(backend: Backend, names: Mapping[str, str]) -> Backend:
    """A copy of `backend` that knows the special tokens of `names` by these, with the same ids."""
    described = json.loads(backend.to_str())
    for token in described["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    model = described["model"]
    if isinstance(vocabulary := model.get("vocab"), dict):
        model["vocab"] = {names.get(token, token): id for token, id in vocabulary.items()}
    elif vocabulary is not None:  # Unigram: pairs of a token and its score
        model["vocab"] = [[names.get(token, token), score] for token, score in vocabulary]
    model["unk_token"] = names.get(unknown, unknown) if (unknown := model.get("unk_token")) else unknown
    renamed = Backend.from_str(json.dumps(described))
    moved = [token for token, name in names.items() if renamed.token_to_id(name) != backend.token_to_id(token)]
    if moved:
        raise SettingError(
            f"--no-special-tokens-in-text: this tokenizer gives {moved[0]!r} no id of its own: leave it out."
        )
    return renamed


def _match_any(texts: Any) -> "re.Pattern[str]":
    """Any of the texts, the longest first, as the library matches them; nothing where there are none."""
    ordered = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)) if ordered else r"(?!)")
