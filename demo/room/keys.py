"""The code that a room is joined by, and the secrets of its teacher and its phones. Knows no room."""

import re
import secrets
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O, 1 I L: they look alike
CODE_LENGTH: Final = 6  # 30 bits: at ten guesses a minute, one in half a million is right within three hours
CODE: Final = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")


def make_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def read_code(text: str) -> str | None:
    """The code as it was made, from what somebody typed: in any case, with spaces; None where it can't be one."""
    code = re.sub(r"[\s-]", "", text).upper()
    return code if CODE.fullmatch(code) else None


def make_secret() -> str:
    """A key of a teacher, or a phone's id."""
    return secrets.token_urlsafe(18)


def is_secret(given: str, secret: str) -> bool:
    """Whether they are the same, in a time that does not depend on how much of it is."""
    return secrets.compare_digest(given.encode(), secret.encode())
