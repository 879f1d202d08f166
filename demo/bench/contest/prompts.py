"""What the contestants are asked. Pure.

No two questions begin alike: of a prompt that a server kept it finds nothing again but the template's first words.
"""

from random import Random

from demo.bench.peers.contestant import Question

QUESTION = "How do you make cheese?"
TOPIC = ("cheese", "milk", "curd")
NEW_TOKENS = 128
LONG_WORDS = 960  # with the template about 1,000 tokens
WORDS = [
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "woman",
    "life",
    "child",
    "world",
    "school",
    "state",
    "family",
    "student",
    "group",
    "country",
    "problem",
    "hand",
    "part",
    "place",
    "case",
    "week",
    "company",
    "system",
    "program",
    "question",
    "work",
    "government",
    "number",
    "night",
    "point",
    "home",
    "water",
    "room",
    "mother",
    "area",
    "money",
    "story",
    "fact",
    "month",
    "lot",
    "right",
    "study",
    "book",
    "eye",
    "job",
    "word",
    "business",
    "issue",
    "side",
    "kind",
    "head",
    "house",
    "service",
    "friend",
]


def ask_plainly(new_tokens: int = NEW_TOKENS) -> Question:
    """The question alone: its answers are compared."""
    return Question(({"role": "user", "content": QUESTION},), new_tokens)


def ask_afresh(key: str, new_tokens: int = NEW_TOKENS) -> Question:
    """The question in a conversation that begins like no other; the same for the same `key`. About 40 tokens."""
    return Question((_open_conversation(key), {"role": "user", "content": QUESTION}), new_tokens)


def ask_at_length(key: str, words: int = LONG_WORDS, new_tokens: int = 4) -> Question:
    """A prompt of about `words` tokens and 40 more, likewise."""
    random = Random(key)
    text = " ".join(random.choice(WORDS) for _ in range(words))
    content = f"Here are some words: {text}. {QUESTION}"
    return Question((_open_conversation(key), {"role": "user", "content": content}), new_tokens)


def _open_conversation(key: str) -> dict[str, str]:
    random = Random(key)
    name = "".join(random.choice("bdfgklmnprstvz") + random.choice("aeiou") for _ in range(3)).capitalize()
    return {"role": "system", "content": f"{name} is asking you. You are a helpful assistant who explains each step."}
