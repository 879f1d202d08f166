"""Tokens of a GGUF file's vocabulary that are more than pieces of text: those encoded as a whole, those with a role.

A vocabulary is the file's metadata whose names began with `tokenizer.ggml`, without that prefix.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from tokenizers import AddedToken, Tokenizer, processors

Vocabulary: TypeAlias = Mapping[str, Any]

CONTROL, USER_DEFINED = 3, 4  # values of `token_type` for tokens that are encoded as a whole
ROLES: Final = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def read_roles(vocabulary: Vocabulary) -> dict[str, str]:
    """The tokens with a role, by transformers' name of the role."""
    ids = {role: vocabulary.get(f"{name}_token_id") for role, name in ROLES.items()}
    tokens = vocabulary["tokens"]
    return {role: tokens[id] for role, id in ids.items() if id is not None and id < len(tokens)}


def add_tokens(
    backend: Tokenizer, vocabulary: Vocabulary, first: Iterable[str], is_control: Callable[[str], bool]
) -> None:
    """Add the tokens that are encoded as a whole, in transformers' order: those that its class names are `first`."""
    backend.add_tokens([AddedToken(token, special=True) for token in first])
    kinds = list(zip(vocabulary["tokens"], vocabulary.get("token_type", ()), strict=False))
    control = [token for token, kind in kinds if kind == CONTROL and is_control(token)]
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    whole = [token for token, kind in kinds if kind == USER_DEFINED and backend.token_to_id(token) is not None]
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in whole])
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    roles = [token for token in read_roles(vocabulary).values() if token not in added]
    backend.add_tokens([AddedToken(token, special=True) for token in roles])


def write_frame(backend: Tokenizer, vocabulary: Vocabulary) -> processors.TemplateProcessing:
    """The tokens before and after a text that the file asks for."""
    roles = read_roles(vocabulary)
    before, after = (
        [roles[role]] if role in roles and vocabulary.get(f"add_{role}") else [] for role in ("bos_token", "eos_token")
    )
    first, second = ([f"{token}:{part}" for token in (*before, name, *after)] for part, name in enumerate(("$A", "$B")))
    ids = [(token, backend.token_to_id(token)) for token in (*before, *after)]
    return processors.TemplateProcessing(single=first, pair=first + second, special_tokens=ids)
