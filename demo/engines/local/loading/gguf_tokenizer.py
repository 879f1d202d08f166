"""The tokenizer of a GGUF file, id for id the one that transformers makes of it.

Byte-level BPE over GPT-2's pieces is built here, by the same library, since importing transformers takes a second.
Every other kind is left to transformers.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import Template
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from demo.engines.local.loading.chat_template import compile_template
from demo.engines.local.tokenizer import Tokenizer
from demo.events import Piece

CONTROL, USER_DEFINED = 3, 4  # what `token_type` calls tokens that are found in a text as a whole
GPT2_END: Final = "<|endoftext|>"
# Of `pre`, which says how a text is cut before its pieces are merged: those that stand for GPT-2's way, or for nothing.
GPT2_CUTS: Final = (None, "default", "gpt-2", "smollm")
LARGEST: Final = 100_000  # tokens, beyond which transformers looks for mistakes of certain models
BYTES: Final = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
ALPHABET: Final = frozenset(pre_tokenizers.ByteLevel.alphabet())
ROLES: Final = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def load_tokenizer(gguf: Path, metadata: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a file with these metadata."""
    said = {name.removeprefix("tokenizer.ggml."): value for name, value in metadata.items()}
    if is_byte_level(said):
        return ByteLevel(said, metadata["tokenizer.chat_template"])
    from transformers import PreTrainedTokenizerFast

    from demo.engines.local.runners.transformers.tokenizer import Pretrained

    return Pretrained(PreTrainedTokenizerFast(gguf_file=gguf.name, name_or_path=str(gguf.parent)))


def is_byte_level(said: Mapping[str, Any]) -> bool:
    """Whether what a file says of its tokenizer is what is built here."""
    kind, cut = said.get("model"), said.get("pre")
    return kind == "gpt2" and cut in GPT2_CUTS and "merges" in said and len(said["tokens"]) <= LARGEST


class ByteLevel(Tokenizer):
    """BPE over bytes (GPT-2), of what a file says under `tokenizer.ggml`."""

    def __init__(self, said: Mapping[str, Any], template: str) -> None:
        self._backend = build_backend(said)
        self._template = template
        self._roles = read_roles(said)

    @property
    def spelled(self) -> str:
        """All of it, as `tokenizers` saves it."""
        return self._backend.to_str()

    @property
    def eos_id(self) -> int | None:
        return self._backend.token_to_id(self._roles["eos_token"]) if "eos_token" in self._roles else None

    @property
    def special_ids(self) -> frozenset[int]:
        ids = map(self._backend.token_to_id, self._roles.values())
        return frozenset(id for id in ids if id is not None)

    @property
    def control_tokens(self) -> frozenset[str]:
        added = self._backend.get_added_tokens_decoder().values()
        return frozenset(token.content for token in added if token.special)

    def encode(self, text: str, raw: bool) -> list[int]:
        return self._backend.encode(text, add_special_tokens=raw).ids

    def locate(self, text: str, raw: bool) -> tuple[Piece, ...]:
        encoding = self._backend.encode(text, add_special_tokens=raw)
        places = zip(encoding.ids, encoding.offsets, strict=True)
        return tuple(Piece(id, start, stop) for id, (start, stop) in places)

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return self._backend.decode(ids, skip_special_tokens=not special)

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]]) -> str:
        return self._compiled.render(
            messages=turns, tools=None, documents=None, add_generation_prompt=True, **self._roles
        )

    @cached_property
    def _compiled(self) -> Template:
        return compile_template(self._template)


def read_roles(said: Mapping[str, Any]) -> dict[str, str]:
    """The tokens with a role, by transformers' names of the roles."""
    ids = {role: said.get(f"{name}_token_id") for role, name in ROLES.items()}
    return {role: said["tokens"][id] for role, id in ids.items() if id is not None}


def build_backend(said: Mapping[str, Any]) -> Backend:
    """The tokenizer itself."""
    vocabulary = _spell(said["tokens"])
    merges = [tuple(merge.split(" ")) for merge in said["merges"]]
    model = models.BPE(vocab=vocabulary, merges=merges, continuing_subword_prefix="", end_of_word_suffix="")
    backend = Backend(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    _add_tokens(backend, said)
    backend.post_processor = _frame(backend, said)
    return backend


def _add_tokens(backend: Backend, said: Mapping[str, Any]) -> None:
    """Those that are found in a text as a whole, in transformers' order."""
    backend.add_tokens([AddedToken(GPT2_END, special=True)])
    kinds = list(zip(said["tokens"], said.get("token_type", ()), strict=False))
    control = [token for token, kind in kinds if kind == CONTROL and ALPHABET.issuperset(token)]
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    whole = [token for token, kind in kinds if kind == USER_DEFINED and backend.token_to_id(token) is not None]
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in whole])
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    roles = [token for token in read_roles(said).values() if token not in added]
    backend.add_tokens([AddedToken(token, special=True) for token in roles])


def _spell(tokens: Sequence[str]) -> dict[str, int]:
    """The id of each token, all written in the letters that stand for bytes."""
    return {token if ALPHABET.issuperset(token) else _spell_bytes(token): id for id, token in enumerate(tokens)}


def _spell_bytes(token: str) -> str:
    return "".join(piece for piece, _ in BYTES.pre_tokenize_str(token))


def _frame(backend: Backend, said: Mapping[str, Any]) -> processors.TemplateProcessing:
    """What stands before and after a text, where the file wants that."""
    roles = read_roles(said)
    before, after = (
        [roles[role]] if role in roles and said.get(f"add_{role}") else [] for role in ("bos_token", "eos_token")
    )
    first, second = ([f"{token}:{part}" for token in (*before, name, *after)] for part, name in enumerate(("$A", "$B")))
    ids = [(token, backend.token_to_id(token)) for token in (*before, *after)]
    return processors.TemplateProcessing(single=first, pair=first + second, special_tokens=ids)
