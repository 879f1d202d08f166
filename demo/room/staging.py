"""What a round runs: the model with the round's prompt, or a recorded run where no model answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from demo.engine import Engine, ModelCard, Ready
from demo.engines.replay import Replay, choose_recording
from demo.engines.sandbox import Sandbox
from demo.errors import NotReady
from demo.examples import read_examples
from demo.request import Message, Request, Sampling, find_question
from demo.room.bodies import RoundRequest
from demo.room.round import Plan
from demo.trace import Trace

SAMPLING = Sampling(repetition_penalty=1.1)  # without it small models fall into loops


@dataclass(frozen=True, slots=True)
class Staged:
    """An engine, and the request that a round sends to it: once, or once for each phone."""

    engine: Engine
    request: Request
    plan: Plan


def stage_round(engine: Engine, recordings: Sequence[Trace], asked: RoundRequest, client: str) -> Staged:
    """Raises NotReady where neither a model nor a recorded run is there, or BadRequest."""
    status, prompt = engine.status, asked.prompt or read_examples()[0]
    card = status.card if isinstance(status, Ready) and status.card.source != "recorded" else None
    trace = choose_recording(recordings, prompt) if card is None else None
    if trace is not None:
        request = replace(
            trace.request, max_new_tokens=asked.max_new_tokens, pace=asked.tokens_per_second, client=client
        )
        return _stage(Replay((trace,), asked.limit or engine.load.limit), request, asked)
    if card is None:
        raise NotReady("the model does not answer yet, and there is no recorded run: try again in a moment.")
    request = make_request(prompt, asked, client, card)
    limited = Sandbox(engine, asked.limit) if asked.kind == "crowd" and asked.limit else engine
    return _stage(limited, request, asked, is_recorded=False)


def make_request(prompt: str, asked: RoundRequest, client: str, card: ModelCard) -> Request:
    """The prompt as a user's message, where the model has a chat template, as the page sends it."""
    most = card.max_new_tokens or asked.max_new_tokens
    return Request(
        prompt if not card.has_chat_template else (Message("user", prompt),),
        min(asked.max_new_tokens, most),
        SAMPLING,
        pace=asked.tokens_per_second,
        client=client,
        ends_loops=True,
        cache_prompt=asked.kind != "crowd",  # else the second to ask would be answered sooner than the first
    )


def _stage(engine: Engine, request: Request, asked: RoundRequest, is_recorded: bool = True) -> Staged:
    plan = Plan(
        asked.kind,
        find_question(request.prompt),
        is_recorded,
        request.max_new_tokens or asked.max_new_tokens,
        asked.tokens_per_second,
        asked.arms,
        engine.load.limit if asked.kind == "crowd" else None,
    )
    return Staged(engine, request, plan)
