"""The questions. No two begin alike, so that a prefix cache holds nothing of them but the template's first words."""

from random import Random

from tests.comparison.systems.system import Question

QUESTION = "How do you make cheese?"
TOPIC = ("cheese", "milk", "curd")
NEW_TOKENS = 128
EXAMPLE_TOKENS = 48  # of an answer to one of the page's example prompts
LONG_WORDS = 960  # with the template about 1,000 tokens
_WORDS = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend
"""
WORDS = _WORDS.split()


def make_plain(question: str = QUESTION, new_tokens: int = NEW_TOKENS) -> Question:
    """The question alone, whose answers are compared."""
    return Question(({"role": "user", "content": question},), new_tokens)


def make_unique(key: str, new_tokens: int = NEW_TOKENS) -> Question:
    """The question in a conversation with a unique beginning, the same for the same `key`. About 40 tokens."""
    return Question((_open_conversation(key), {"role": "user", "content": QUESTION}), new_tokens)


def make_long(key: str, words: int = LONG_WORDS, new_tokens: int = 4) -> Question:
    """The same with a prompt of about `words` tokens and 40 more."""
    rng = Random(key)
    text = " ".join(rng.choice(WORDS) for _ in range(words))
    content = f"Here are some words: {text}. {QUESTION}"
    return Question((_open_conversation(key), {"role": "user", "content": content}), new_tokens)


def _open_conversation(key: str) -> dict[str, str]:
    rng = Random(key)
    name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3)).capitalize()
    return {"role": "system", "content": f"{name} is asking you. You are a helpful assistant who explains each step."}
