"""Byte-level BPE (GPT-2's, Qwen 2's) of a GGUF file's vocabulary, equal to what transformers makes of it."""

from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from demo.engines.local.loading.vocabulary_tokens import Vocabulary, add_tokens, write_frame

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


def is_byte_level(vocabulary: Vocabulary) -> bool:
    """Whether `build_byte_level` knows this kind."""
    cut = vocabulary.get("pre")
    is_known = cut == QWEN2 or (cut in GPT2_CUTS and len(vocabulary["tokens"]) <= LARGEST)
    return vocabulary.get("model") == "gpt2" and is_known and "merges" in vocabulary


def build_byte_level(vocabulary: Vocabulary) -> Tokenizer:
    """The library's tokenizer."""
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
    add_tokens(built, vocabulary, [GPT2_END], ALPHABET.issuperset)
    built.post_processor = write_frame(built, vocabulary)
    return built
