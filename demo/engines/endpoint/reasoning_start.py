"""How an answer of an engine elsewhere begins: as its template leaves it, or as its first text tells. Knows no dialect.

An engine that sorts the reasoning out tells it token by token; another leaves the model's tags in the text. Where the
template opens the first tag, the answer lacks it.
"""

from collections.abc import Sequence

from demo.engines.endpoint.backend import Backend
from demo.engines.endpoint.connection import Connection
from demo.errors import DemoError
from demo.events import ReasoningStart, Token
from demo.reasoning import OPENING, continue_start, read_raw
from demo.request import Prompt, Request, find_begun


async def is_opened(backend: Backend, connection: Connection, prompt: Prompt, options: str) -> bool:
    """Whether the template ends inside a tag of reasoning. Raises what `tokenize` raises."""
    text, _ = await backend.tokenize(connection, prompt, options)
    return text.removesuffix(find_begun(prompt)).rstrip().endswith(OPENING)


async def can_open(backend: Backend, connection: Connection, greeting: Prompt) -> bool:
    """Whether the template opens a tag of reasoning for a greeting; False where that is not told as documented."""
    try:
        return await is_opened(backend, connection, greeting, "{}")
    except (DemoError, LookupError, TypeError, ValueError, AttributeError):
        return False


def find_reasoning_start(
    request: Request, tells_reasoning: bool, is_open: bool, tokens: Sequence[Token]
) -> ReasoningStart:
    """How an answer begins, by all tokens up to the first that has a text."""
    if not isinstance(request.prompt, tuple):
        return "none"
    if tells_reasoning or any(token.reasoned for token in tokens):
        return "told"
    if (begun := find_begun(request.prompt)) or is_open:
        return continue_start("open" if is_open else "tags", begun)
    text = "".join(read_raw(token, "tags") for token in tokens)
    start = text.lstrip()
    return "tags" if text and (start.startswith(OPENING) or OPENING.startswith(start)) else "none"
