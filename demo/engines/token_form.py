"""The bytes that a token's form in a vocabulary stands for. Knows no tokenizer."""

from typing import Final

# The byte-level alphabet (GPT-2's): a letter for each byte, that of ASCII or Latin-1 where it can be printed.
PRINTED: Final = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
OTHERS: Final = tuple(byte for byte in range(256) if byte not in PRINTED)
LETTERS: Final = {chr(byte): byte for byte in PRINTED} | {chr(256 + at): byte for at, byte in enumerate(OTHERS)}
BYTES: Final = {f"<0x{byte:02X}>": byte for byte in range(256)}  # SentencePiece's tokens for one byte


def decode_form(form: str) -> bytes:
    """The bytes of a token of byte-level BPE, of SentencePiece's for one byte, or of a text."""
    if form in BYTES:
        return bytes([BYTES[form]])
    return bytes(map(LETTERS.__getitem__, form)) if LETTERS.keys() >= set(form) else form.encode()
