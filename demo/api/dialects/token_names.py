"""How OpenAI's two dialects name a token. Pure."""

from collections.abc import Iterable

from demo.events import Candidate, Token

BYTES = "bytes:"  # completions mark the name of a part of a character


def name_candidate(candidate: Candidate, mark: str = "") -> str:
    r"""Its text; of a part of a character its bytes after `mark`, those that are no character as `\xe2`."""
    if candidate.encoded is None:
        return candidate.text
    return mark + candidate.encoded.decode("utf-8", "backslashreplace")


def name_top(token: Token, likeliest: Iterable[Candidate]) -> dict[str, float | None]:
    """The log-probabilities of the likeliest beside `token`, by name. Its own name is the one that it has elsewhere.

    Of others with an equal name, each but the likeliest is named by its id, as vLLM does.
    """
    chosen, names = token.candidate, dict[str, float | None]()
    taken = {name_candidate(chosen, BYTES)}
    for each in likeliest:
        name = name_candidate(each, BYTES)
        if each.id != chosen.id and name in taken:
            name = f"token_id:{each.id}"
        taken.add(name)
        names[name] = each.logprob
    return names
