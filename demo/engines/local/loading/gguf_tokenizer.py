"""The tokenizer of a GGUF file, with the same ids as transformers' own.

The kinds of most files are built here by the same library in less time and a third of the memory that
transformers takes. transformers builds every other kind, and renders the chat template.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer as Backend

from demo.engine import Piece
from demo.engines.local.chat_template import DEFAULT, list_gguf_templates
from demo.engines.local.loading.gguf_vocabulary import Vocabulary, build_backend, is_known, read_roles
from demo.engines.local.longest_token import find_longest_token
from demo.engines.local.tokenizer import NO_OPTIONS, Tokenizer, encode_text, locate_tokens

PREFIX: Final = "tokenizer.ggml."


def load_tokenizer(gguf: Path, metadata: Mapping[str, Any], template: str | None = None) -> Tokenizer:
    """The tokenizer of the file `gguf` with these metadata; `template` replaces its chat template."""
    template = template or list_gguf_templates(metadata).get(DEFAULT)
    vocabulary = {name.removeprefix(PREFIX): value for name, value in metadata.items() if name.startswith(PREFIX)}
    if is_known(vocabulary):
        return GgufTokenizer(vocabulary, metadata["general.architecture"], template)
    from transformers import PreTrainedTokenizerFast

    from demo.engines.local.runners.transformers.tokenizer import Pretrained

    tokenizer = PreTrainedTokenizerFast(gguf_file=gguf.name, name_or_path=str(gguf.parent))
    tokenizer.chat_template = template
    return Pretrained(tokenizer)


class GgufTokenizer(Tokenizer):
    """The library's tokenizer of a file's vocabulary."""

    backend: Backend

    def __init__(self, vocabulary: Vocabulary, architecture: str, template: str | None) -> None:
        self._renderer = None if template is None else _import_renderer_beside()
        self._roles = read_roles(vocabulary)
        self.backend = build_backend(vocabulary, architecture)
        self.longest = find_longest_token(self.backend, vocabulary["tokens"])
        self.size = self.backend.get_vocab_size()
        ids = {role: self.backend.token_to_id(token) for role, token in self._roles.items()}
        self.eos_id = ids.get("eos_token")
        self.special_ids = frozenset(id for id in ids.values() if id is not None)
        added = self.backend.get_added_tokens_decoder().values()
        self.control_tokens = frozenset(token.content for token in added if token.special)
        self.chat_template = template

    def token_id(self, token: str) -> int | None:
        return self.backend.token_to_id(token)

    def token(self, id: int) -> str | bytes | None:
        return self.backend.id_to_token(id)

    def encode(self, text: str, raw: bool, limit: int | None = None) -> list[int]:
        return encode_text(self.backend, text, raw, limit)

    def locate(self, text: str, raw: bool, limit: int | None = None, first: int = 0) -> tuple[Piece, ...]:
        return locate_tokens(self.backend, text, raw, limit, first)

    def decode(self, ids: Sequence[int], special: bool = True) -> str:
        return self.backend.decode(ids, skip_special_tokens=not special)

    def apply_chat_template(self, turns: Sequence[Mapping[str, str]], options: Mapping[str, Any] = NO_OPTIONS) -> str:
        assert self._renderer is not None, "there is a template"
        conversation = [dict(turn) for turn in turns]
        known: dict[str, Any] = {"chat_template": self.chat_template, "add_generation_prompt": True, **self._roles}
        return str(self._renderer.result()([conversation], **(dict(options) | known))[0][0])


def _import_renderer_beside() -> "Future[Callable[..., Any]]":
    """Importing transformers' template sandbox takes 0.3 seconds: only a conversation waits for it."""
    pool = ThreadPoolExecutor(1)
    renderer = pool.submit(_import_renderer)
    pool.shutdown(wait=False)
    return renderer


def _import_renderer() -> Callable[..., Any]:
    from transformers.utils.chat_template_utils import render_jinja_template

    return render_jinja_template
