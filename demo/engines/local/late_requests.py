"""The refusal of requests whose first tokens would come later than --max-ttft allows."""

from typing import Final

from demo.errors import BadRequest, Overloaded

SURE: Final = 2.0  # a prediction that is so many times too long is not an error of the prediction


def refuse_late(ttft: float, alone: float, most: float, prompt_tokens: int) -> None:
    """Raise what says that the first token would come after `ttft` seconds, or after `alone` if nothing else was asked.

    BadRequest where that is surely too late even alone. An engine that has nothing else to do refuses nothing else.
    """
    if alone > SURE * most:
        raise BadRequest(
            f"Reading the prompt's {prompt_tokens} tokens takes about {alone:.2g} s here, and the first token must "
            f"come within {most:g} s (--max-ttft): shorten the prompt."
        )
    wait = ttft - max(most, alone)
    if wait > 0:
        raise Overloaded(
            f"Model is overloaded: the first token would come in about {ttft:.2g} s, and {most:g} s are allowed "
            f"(--max-ttft). Try again in about {wait:.2g} s.",
            wait,
        )
