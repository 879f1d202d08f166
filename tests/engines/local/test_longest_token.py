"""No text that fits is refused by its bytes: what a token can stand for at most, of every kind of tokenizer."""

import unicodedata
from collections.abc import Callable
from typing import Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from demo.engines.local.longest_token import FORMS, SHRINKING, LongestToken, find_longest_token
from demo.engines.local.tokenizer import LONG_TEXT, TooManyTokens, encode_text, locate_tokens
from demo.engines.token_form import BYTES, LETTERS
from tests.engines.local.test_detokenizer import load_embedded

Form: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]

DOUBLED = ["Ġ" * size for size in (1, 2, 4)]  # merged into one token of eight spaces
# Signs that shrink: Kelvin, Ohm, wide and mathematical letters, what is composed, what has no token.
TEXTS = st.text(alphabet="ab \x04K\u2126Ａ𝐀é\u0301\u0308\u1fbeι日🧀\U00050000") | st.text()


def build_byte_level(normalizer: normalizers.Normalizer | None = None, without: str = "", **options: bool) -> Tokenizer:
    """A token for every byte but some, one for eight spaces, and an added one."""
    letters = [letter for letter in LETTERS if letter not in without]
    tokens = [*letters, *(2 * spaces for spaces in DOUBLED)]
    merges = [(spaces, spaces) for spaces in DOUBLED]
    backend = Tokenizer(models.BPE(vocab={token: id for id, token in enumerate(tokens)}, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.add_special_tokens([AddedToken("<é>", special=True, **options)])
    return backend


def build_byte_fallback(missing: int = 0, cut: pre_tokenizers.PreTokenizer | None = None) -> Tokenizer:
    """As Llama 2's: spaces become a sign of three bytes, and what has no token is bytes."""
    tokens = ["a", "b", "▁", "▁▁", *[*BYTES][missing:]]
    vocabulary = {token: id for id, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[("▁", "▁")], byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    if cut is not None:
        backend.pre_tokenizer = cut
    return backend


def find(backend: Tokenizer) -> LongestToken | None:
    return find_longest_token(backend, backend.get_vocab())


def forms(*names: str) -> Callable[[], Tokenizer]:
    return lambda: build_byte_level(normalizers.Sequence([getattr(normalizers, name)() for name in names]))


BOUNDED: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": build_byte_level,
    "without some bytes": lambda: build_byte_level(without="Ąñ"),  # 0x04 and 0xF1
    "byte fallback": build_byte_fallback,
    "digits": lambda: build_byte_fallback(cut=pre_tokenizers.Digits()),
    **{form: forms(form) for form in FORMS},
    "lowercase": forms("Lowercase"),
    "two": forms("NFKC", "Lowercase"),
    "replaced": lambda: build_byte_level(normalizers.Replace("ab", "a")),
}
BACKENDS = {name: build() for name, build in BOUNDED.items()}


@pytest.mark.parametrize("name", BACKENDS)
@given(text=TEXTS)
def test_no_text_has_more_bytes_than_its_tokens_hold(name: str, text: str) -> None:
    text = text.encode(errors="replace").decode()
    backend, longest = BACKENDS[name], find(BACKENDS[name])
    assert longest is not None
    assert longest.count_bytes(text) <= longest.find_limit(text, len(backend.encode(text)))


def test_the_bound_is_reached_by_a_text_of_longest_tokens() -> None:
    longest = find(build_byte_level())
    assert longest == LongestToken(8, 8)
    assert len(build_byte_level().encode(" " * 80)) == 10


def test_bytes_without_a_token_do_not_count() -> None:
    longest = find(build_byte_level(without="Ą"))
    assert longest is not None
    assert (longest.dropped, longest.count_bytes("a\x04\x04b")) == (b"\x04", 2)


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_byte_level(rstrip=True),
        lambda: build_byte_level(lstrip=True),
        lambda: build_byte_level(normalizers.Strip()),
        lambda: build_byte_level(normalizers.StripAccents()),
        lambda: build_byte_level(normalizers.Replace("a", "")),
        lambda: build_byte_level(normalizers.NFC(), without="Ą"),
        lambda: build_byte_fallback(missing=1),
        lambda: build_byte_fallback(cut=pre_tokenizers.Whitespace()),
        lambda: build_byte_fallback(cut=pre_tokenizers.Split(" ", "removed")),
        lambda: Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")),
        lambda: Tokenizer(models.BPE(vocab={"a": 0}, merges=[])),
    ],
)
def test_what_may_take_any_number_of_characters_has_no_bound(build: Callable[[], Tokenizer]) -> None:
    assert find(build()) is None


def test_the_embedded_models_longest_token_is_a_line_end_with_80_spaces() -> None:
    longest = load_embedded().longest
    assert longest is not None
    assert (longest.in_ascii, longest.in_any, longest.dropped[-1:]) == (81, 81, b"\x1d")


def test_the_letters_are_the_byte_level_alphabet() -> None:
    assert LETTERS.keys() == set(pre_tokenizers.ByteLevel.alphabet())
    assert all(LETTERS[build_byte_level().encode(chr(byte)).tokens[0]] == byte for byte in range(128))


@pytest.mark.parametrize(
    ("composed", "decomposed"), [("NFC", "NFD"), ("NFD", "NFD"), ("NFKC", "NFKD"), ("NFKD", "NFKD")]
)
def test_no_normal_form_shrinks_a_text_more_than_is_assumed(composed: Form, decomposed: Form) -> None:
    """A text and its form have the same decomposition: the largest characters that have its parts are the worst."""
    letters = map(chr, range(0x30000))  # those beyond have no parts
    parts = {letter: part for letter in letters if (part := unicodedata.normalize(decomposed, letter)) != letter}
    largest: dict[str, int] = {}
    for letter, part in parts.items():
        if len(part) == 1:
            largest[part] = max(largest.get(part, len(part.encode())), len(letter.encode()))

    def measure(part: str) -> int:
        return sum(largest.get(each, len(each.encode())) for each in part)

    assert all(len(letter.encode()) <= measure(part) for letter, part in parts.items())
    kept = {letter: part for letter, part in parts.items() if unicodedata.normalize(composed, letter) == letter}
    worst = [measure(part) / len(letter.encode()) for letter, part in kept.items()]
    assert max(*worst, *(size / len(part.encode()) for part, size in largest.items())) == FORMS[composed]


def test_no_lowercase_letter_is_shorter_than_is_assumed() -> None:
    letters = (chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000)
    assert max(len(each.encode()) / len(each.lower().encode()) for each in letters) == SHRINKING["Lowercase"]


def test_a_long_text_has_the_ids_and_places_of_a_short_one() -> None:
    backend = build_byte_level()
    text = "  a 日<é>b🧀 " * (LONG_TEXT // 8)
    whole = backend.encode(text)
    assert encode_text(backend, text, raw=True, limit=None) == whole.ids
    pieces = locate_tokens(backend, text, raw=True, limit=None, first=5)
    assert [piece.id for piece in pieces] == whole.ids[5:]
    assert [(piece.start, piece.stop) for piece in pieces] == whole.offsets[5:]


@pytest.mark.parametrize("length", [100, LONG_TEXT])
def test_more_tokens_than_asked_for_are_counted_and_not_listed(length: int) -> None:
    backend, text, limit = build_byte_level(), "ab" * length, 2 * length - 1
    with pytest.raises(TooManyTokens) as excess:
        encode_text(backend, text, raw=True, limit=limit)
    assert excess.value.count == 2 * length
    with pytest.raises(TooManyTokens):
        locate_tokens(backend, text, raw=True, limit=limit, first=0)
