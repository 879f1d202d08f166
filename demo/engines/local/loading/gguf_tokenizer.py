"""The tokenizer of a GGUF file, with the same ids as transformers' own.

Byte-level BPE with the pre-tokenizer of GPT-2 or of Qwen 2 is built here by the same library in a tenth of the time and
a third of the memory that transformers takes. transformers builds every other kind, and renders the chat template.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend

from demo.engine import Piece
from demo.engines.local import backend as library
from demo.engines.local.chat_template import DEFAULT, list_gguf_templates
from demo.engines.local.longest_token import LongestToken, find_longest_token
from demo.engines.local.tokenizer import NO_OPTIONS, Tokenizer

CONTROL, USER_DEFINED = 3, 4  # values of `token_type` for tokens that are encoded as a whole
GPT2_END: Final = "<|endoftext|>"
# Values of `pre`, the pre-tokenizer, that mean GPT-2's, or none.
GPT2_CUTS: Final = (None, "default", "gpt-2", "smollm")
LARGEST: Final = 100_000  # tokens; in larger vocabularies transformers corrects errors of some models
QWEN2: Final = "qwen2"  # and it means this one
QWEN2_CUTS: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES: Final = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
ALPHABET: Final = frozenset(pre_tokenizers.ByteLevel.alphabet())
ROLES: Final = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def load_tokenizer(gguf: Path, metadata: Mapping[str, Any], template: str | None = None) -> Tokenizer:
    """The tokenizer of the file `gguf` with these metadata; `template` replaces its chat template."""
    template = template or list_gguf_templates(metadata).get(DEFAULT)
    vocabulary = {name.removeprefix("tokenizer.ggml."): value for name, value in metadata.items()}
    if is_byte_level(vocabulary):
        return ByteLevel(vocabulary, template)
    from transformers import PreTrainedTokenizerFast

    from demo.engines.local.runners.transformers.tokenizer import Pretrained

    tokenizer = PreTrainedTokenizerFast(gguf_file=gguf.name, name_or_path=str(gguf.parent))
    tokenizer.chat_template = template
    return Pretrained(tokenizer)


def is_byte_level(metadata: Mapping[str, Any]) -> bool:
    """Whether ByteLevel can be built of these metadata, whose names lack the prefix `tokenizer.ggml`."""
    kind, cut = metadata.get("model"), metadata.get("pre")
    is_known = cut == QWEN2 or (cut in GPT2_CUTS and len(metadata["tokens"]) <= LARGEST)
    return kind == "gpt2" and is_known and "merges" in metadata


class ByteLevel(Tokenizer):
    """Byte-level BPE (GPT-2), of a file's metadata under `tokenizer.ggml`."""

    def __init__(self, metadata: Mapping[str, Any], template: str | None) -> None:
        # Importing transformers' template sandbox takes 0.3 seconds: only a conversation waits for it.
        pool = ThreadPoolExecutor(1)
        self._renderer = pool.submit(_import_renderer)
        pool.shutdown(wait=False)
        self._backend = build_backend(metadata)
        self._longest = find_longest_token(self._backend, metadata["tokens"])
        self._template = template
        self._roles = read_roles(metadata)

    @property
    def serialized(self) -> str:
        """The tokenizer as JSON, as `tokenizers` saves it."""
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

    @property
    def size(self) -> int:
        return self._backend.get_vocab_size()

    def token_id(self, token: str) -> int | None:
        return self._backend.token_to_id(token)

    def token(self, id: int) -> str | bytes | None:
        return self._backend.id_to_token(id)

    @property
    def longest(self) -> LongestToken | None:
        return self._longest

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        return library.encode(self._backend, text, raw, limit)

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        return library.locate(self._backend, text, raw, limit, first)

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return self._backend.decode(ids, skip_special_tokens=not special)

    @property
    def backend(self) -> Backend:
        return self._backend

    @property
    def chat_template(self) -> str | None:
        return self._template

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any] = NO_OPTIONS) -> str:
        conversation = [dict(turn) for turn in turns]
        known: dict[str, Any] = {"chat_template": self._template, "add_generation_prompt": True, **self._roles}
        return str(self._renderer.result()([conversation], **(dict(options) | known))[0][0])


def _import_renderer() -> Callable[..., Any]:
    from transformers.utils.chat_template_utils import render_jinja_template

    return render_jinja_template


def read_roles(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The tokens with a role, by transformers' name of the role."""
    ids = {role: metadata.get(f"{name}_token_id") for role, name in ROLES.items()}
    tokens = metadata["tokens"]
    return {role: tokens[id] for role, id in ids.items() if id is not None and id < len(tokens)}


def build_backend(metadata: Mapping[str, Any]) -> Backend:
    """The tokenizer of metadata whose names lack the prefix `tokenizer.ggml`."""
    vocabulary = {
        token if ALPHABET.issuperset(token) else "".join(piece for piece, _ in BYTES.pre_tokenize_str(token)): id
        for id, token in enumerate(metadata["tokens"])
    }
    merges = [tuple(merge.split(" ")) for merge in metadata["merges"]]
    model = models.BPE(vocab=vocabulary, merges=merges, continuing_subword_prefix="", end_of_word_suffix="")
    built = Backend(model)
    built.pre_tokenizer = _choose_cuts(metadata.get("pre"))
    built.decoder = decoders.ByteLevel()
    _add_tokens(built, metadata)
    built.post_processor = _frame(built, metadata)
    return built


def _choose_cuts(cut: str | None) -> pre_tokenizers.PreTokenizer:
    if cut != QWEN2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2_CUTS), "isolated"), BYTES])


def _add_tokens(backend: Backend, metadata: Mapping[str, Any]) -> None:
    """Add the tokens that are encoded as a whole, in transformers' order."""
    backend.add_tokens([AddedToken(GPT2_END, special=True)])
    kinds = list(zip(metadata["tokens"], metadata.get("token_type", ()), strict=False))
    control = [token for token, kind in kinds if kind == CONTROL and ALPHABET.issuperset(token)]
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    whole = [token for token, kind in kinds if kind == USER_DEFINED and backend.token_to_id(token) is not None]
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in whole])
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    roles = [token for token in read_roles(metadata).values() if token not in added]
    backend.add_tokens([AddedToken(token, special=True) for token in roles])


def _frame(backend: Backend, metadata: Mapping[str, Any]) -> processors.TemplateProcessing:
    """The tokens before and after a text that the file asks for."""
    roles = read_roles(metadata)
    before, after = (
        [roles[role]] if role in roles and metadata.get(f"add_{role}") else [] for role in ("bos_token", "eos_token")
    )
    first, second = ([f"{token}:{part}" for token in (*before, name, *after)] for part, name in enumerate(("$A", "$B")))
    ids = [(token, backend.token_to_id(token)) for token in (*before, *after)]
    return processors.TemplateProcessing(single=first, pair=first + second, special_tokens=ids)
