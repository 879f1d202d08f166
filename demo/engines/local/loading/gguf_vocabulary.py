"""The `tokenizers` library's tokenizer of a GGUF file's vocabulary, equal to what transformers makes of it.

A vocabulary is the file's metadata whose names began with `tokenizer.ggml`, without that prefix. Two kinds are known:
byte-level BPE (GPT-2's, Qwen 2's), and SentencePiece's BPE with bytes for unknown characters (Llama's, Phi's, Gemma's),
which takes a third of the memory here: of 262,144 pieces follow half a million merges.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

Vocabulary: TypeAlias = Mapping[str, Any]

CONTROL, USER_DEFINED = 3, 4  # values of `token_type` for tokens that are encoded as a whole
ROLES: Final = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}

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

SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
PLAIN_CUTS: Final = (None, "default")  # values of `pre` that mean none
PHI: Final = "phi3"
GEMMAS: Final = ("gemma", "gemma2", "gemma3")
FIRST: Final = ("<s>", "</s>", "<unk>")
GEMMA_FIRST: Final = ("<bos>", "<eos>", "<unk>", "<pad>", "<mask>")
DECODING: Final = (decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse())


def is_known(vocabulary: Vocabulary) -> bool:
    """Whether `build_backend` knows this kind."""
    return _is_byte_level(vocabulary) or _is_sentence_pieces(vocabulary)


def build_backend(vocabulary: Vocabulary, architecture: str) -> Tokenizer:
    """The library's tokenizer; the metadata `general.architecture` says what of it the vocabulary does not."""
    if _is_byte_level(vocabulary):
        return _build_byte_level(vocabulary)
    return _build_sentence_pieces(vocabulary, architecture)


def read_roles(vocabulary: Vocabulary) -> dict[str, str]:
    """The tokens with a role, by transformers' name of the role."""
    ids = {role: vocabulary.get(f"{name}_token_id") for role, name in ROLES.items()}
    tokens = vocabulary["tokens"]
    return {role: tokens[id] for role, id in ids.items() if id is not None and id < len(tokens)}


def _is_byte_level(vocabulary: Vocabulary) -> bool:
    cut = vocabulary.get("pre")
    is_cut_known = cut == QWEN2 or (cut in GPT2_CUTS and len(vocabulary["tokens"]) <= LARGEST)
    return vocabulary.get("model") == "gpt2" and is_cut_known and "merges" in vocabulary


def _build_byte_level(vocabulary: Vocabulary) -> Tokenizer:
    ids = {
        token if ALPHABET.issuperset(token) else "".join(piece for piece, _ in BYTES.pre_tokenize_str(token)): id
        for id, token in enumerate(vocabulary["tokens"])
    }
    merges = [tuple(merge.split(" ")) for merge in vocabulary["merges"]]
    built = Tokenizer(models.BPE(vocab=ids, merges=merges, continuing_subword_prefix="", end_of_word_suffix=""))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if vocabulary.get("pre") == QWEN2:
        built.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2_CUTS), "isolated"), BYTES])
    built.decoder = decoders.ByteLevel()
    _add_tokens(built, vocabulary, [GPT2_END], ALPHABET.issuperset)
    built.post_processor = _write_frame(built, vocabulary)
    return built


def _is_sentence_pieces(vocabulary: Vocabulary) -> bool:
    has_order = "merges" in vocabulary or "scores" in vocabulary
    return vocabulary.get("model") == "llama" and vocabulary.get("pre") in PLAIN_CUTS and has_order


def _build_sentence_pieces(vocabulary: Vocabulary, architecture: str) -> Tokenizer:
    is_gemma = architecture in GEMMAS
    built = _build_gemma(vocabulary) if is_gemma else _build_llama(vocabulary)
    if architecture == PHI:
        built.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
        built.pre_tokenizer = None
    _add_tokens(built, vocabulary, GEMMA_FIRST if is_gemma else FIRST, lambda token: True)
    built.post_processor = _write_frame(built, {"add_bos_token": True, **vocabulary})
    return built


def _build_llama(vocabulary: Vocabulary) -> Tokenizer:
    tokens = vocabulary["tokens"]
    built = Tokenizer(_build_bpe(vocabulary, tokens, dict(zip(tokens, vocabulary.get("scores", ()), strict=False))))
    built.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="first", split=False)
    built.decoder = decoders.Sequence([*DECODING, decoders.Strip(" ", left=1)])
    return built


def _build_gemma(vocabulary: Vocabulary) -> Tokenizer:
    """Gemma's files spell spaces as such, and its merges have the order of the pieces they make, not of scores."""
    tokens = [SPACE * len(token) if " " in token and not token.strip() else token for token in vocabulary["tokens"]]
    places = {token: -place for place, token in enumerate(tokens)}
    built = Tokenizer(_build_bpe(vocabulary, tokens, places, unk_token="<unk>"))
    built.normalizer = normalizers.Replace(" ", SPACE)
    built.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    built.decoder = decoders.Sequence([*DECODING])
    return built


def _build_bpe(
    vocabulary: Vocabulary, tokens: Sequence[str], scores: Mapping[str, float], **options: Any
) -> models.BPE:
    ids = {token: id for id, token in enumerate(tokens)}
    known = vocabulary.get("merges")
    merges = list(_derive_merges(tokens, ids, scores)) if known is None else [tuple(each.split(" ")) for each in known]
    return models.BPE(vocab=ids, merges=merges, fuse_unk=True, byte_fallback=True, **options)


def _derive_merges(
    tokens: Sequence[str], ids: Mapping[str, int], scores: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Every two pieces that make a piece, that of the highest score first; of equal scores, the longest first parts.

    They are strings of `tokens`, not copies.
    """
    for _, pieces in groupby(sorted(scores, key=scores.__getitem__, reverse=True), scores.__getitem__):
        pairs = [pair for piece in pieces for pair in _list_pairs(piece, tokens, ids)]
        yield from sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1])), reverse=True)


def _list_pairs(piece: str, tokens: Sequence[str], ids: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for place in range(1, len(piece)):
        left, right = ids.get(piece[:place]), ids.get(piece[place:])
        if left is not None and right is not None:
            yield tokens[left], tokens[right]


def _add_tokens(
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


def _write_frame(backend: Tokenizer, vocabulary: Vocabulary) -> processors.TemplateProcessing:
    """The tokens before and after a text that the file asks for."""
    roles = read_roles(vocabulary)
    before, after = (
        [roles[role]] if role in roles and vocabulary.get(f"add_{role}") else [] for role in ("bos_token", "eos_token")
    )
    first, second = ([f"{token}:{part}" for token in (*before, name, *after)] for part, name in enumerate(("$A", "$B")))
    ids = [(token, backend.token_to_id(token)) for token in (*before, *after)]
    return processors.TemplateProcessing(single=first, pair=first + second, special_tokens=ids)
