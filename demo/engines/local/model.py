"""A loaded model: runner, tokenizer and limits; and prompts as token ids: templated, bounded and truncated."""

import json
from dataclasses import dataclass, replace
from typing import Final

from demo.engine import ModelCard, Piece
from demo.engines.local.chat_template import render
from demo.engines.local.output import Vocabulary
from demo.engines.local.runner import Runner
from demo.engines.local.tokenizer import Tokenizer, TooManyTokens
from demo.errors import BadRequest, ContextExceeded, TemplateRefused
from demo.request import Message, Prompt, TokenIds

REASONING: Final = ("reasoning_content", "thinking")
MAX_LISTED: Final = 65_536  # tokens of a text, which may be more than the model takes


@dataclass(frozen=True, slots=True)
class Model:
    """Encodes prompts, from any thread; its runner belongs to the engine's thread."""

    tokenizer: Tokenizer
    card: ModelCard
    vocabulary: Vocabulary
    runner: Runner

    def encode(self, prompt: Prompt, truncate: int | None = None, options: str = "{}") -> list[int]:
        """Token ids of raw text, or of a conversation in the model's chat template; at most as many as the model takes.

        `options` are the template's, as in a Request.
        At most `truncate` ids: the last of a text or of ids, or a conversation without its last message's beginning.
        Raises TemplateRefused where the template refuses the conversation, BadRequest where there are more ids than
        the model takes, or the template alone takes more than `truncate`. A text too long for any ids is not encoded.
        """
        if isinstance(prompt, TokenIds):
            return self._check_ids(prompt.ids, truncate)
        text, raw = self._apply_chat_template(prompt, options), isinstance(prompt, str)
        self._check_bytes(text)
        try:
            if raw and truncate is not None:
                return self.tokenizer.encode(text, raw)[-truncate:]
            return self.tokenizer.encode(text, raw, truncate or self.card.max_input_tokens)
        except TooManyTokens as error:
            if truncate is None:
                raise self._describe_excess(error.count) from None
            assert not isinstance(prompt, str), "a text is cut, not refused"
            return self._encode_end(prompt, error.count, truncate, options)

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        """The text that the model reads, and its tokens with their places in the text; `options` are the template's.

        Raises TemplateRefused, or BadRequest for more than MAX_LISTED tokens or for ids.
        """
        if isinstance(prompt, TokenIds):
            raise BadRequest("Token ids are tokens already: send a text.")
        text = self._apply_chat_template(prompt, options)
        self._check_bytes(text)
        try:
            pieces = self.tokenizer.locate(text, isinstance(prompt, str), MAX_LISTED)
        except TooManyTokens as error:
            sentence = f"The text has {error.count} tokens, and at most {MAX_LISTED} are listed at once: send less."
            raise BadRequest(sentence) from None
        return self.tokenizer.restore(text, pieces)

    def choose_length(self, input_tokens: int, max_new_tokens: int | None) -> int:
        """The longest answer to a prompt: as asked for, else what fits.

        Raises BadRequest, with the numbers, where a request has more tokens than the model takes.
        """
        card, asked, most = self.card, max_new_tokens or 1, self.card.max_new_tokens
        if most is not None and asked > most:
            raise BadRequest(f"An answer has at most {most} tokens here, and {asked} are asked for: ask for fewer.")
        if input_tokens > card.max_input_tokens:
            raise self._describe_excess(input_tokens)
        if input_tokens + asked > card.max_total_tokens:
            raise ContextExceeded(
                f"{self._limit}, and {input_tokens} + {asked} are {input_tokens + asked}: "
                "ask for fewer or shorten the prompt."
            )
        rest = card.max_total_tokens - input_tokens
        return max_new_tokens or min(rest, most or rest)

    @property
    def _limit(self) -> str:
        """The limit in text-generation-inference's words, by which its clients and LiteLLM recognise it."""
        return f"`inputs` tokens + `max_new_tokens` must be <= {self.card.max_total_tokens}"

    def _check_ids(self, ids: tuple[int, ...], truncate: int | None) -> list[int]:
        size = self.tokenizer.size
        unknown = next((id for id in ids if not 0 <= id < size), None)
        if unknown is not None:
            raise BadRequest(
                f"The prompt holds the token id {unknown}, and this model's ids are 0 to {size - 1}: send ids of its "
                "own tokenizer."
            )
        kept = list(ids if truncate is None else ids[-truncate:])
        if len(kept) > self.card.max_input_tokens:
            raise self._describe_excess(len(kept))
        return kept

    def _describe_excess(self, tokens: int) -> ContextExceeded:
        """The refusal of a prompt of too many tokens."""
        most = self.card.max_input_tokens
        return ContextExceeded(
            f"The prompt has {tokens} tokens, and at most {most} are accepted ({self._limit}): shorten it."
        )

    def _encode_end(self, turns: tuple[Message, ...], length: int, truncate: int, options: str) -> list[int]:
        """A conversation of `length` tokens, its last message cut at its beginning to `truncate` tokens in all."""
        *before, last = turns
        pieces = self.tokenizer.locate(last.content, raw=False, first=length - truncate)
        while pieces:
            cut = (*before, replace(last, content=last.content[pieces[0].start :]))
            try:
                return self.tokenizer.encode(self._apply_chat_template(cut, options), raw=False, limit=truncate)
            except TooManyTokens as error:
                pieces = pieces[error.count - truncate :]  # the rest has been encoded into more tokens
        empty = self._apply_chat_template((*before, replace(last, content="")), options)
        template = len(self.tokenizer.encode(empty, raw=False))
        raise BadRequest(
            f"truncate is {truncate}, and the model's chat template alone takes {template} tokens: allow more, or have "
            "the text read `raw`."
        )

    def _check_bytes(self, text: str) -> None:
        """Raise BadRequest where `text` has more bytes than any tokens that the model takes can hold.

        A token's length is bounded, so no text that fits is refused. It holds for a text that would be truncated too,
        since its tokens are found from its beginning.
        """
        longest, tokens = self.tokenizer.longest, self.card.max_input_tokens
        if longest is None or 4 * len(text) <= tokens:  # a character has at most four bytes
            return
        size, limit = longest.count_bytes(text), longest.find_limit(text, tokens)
        if size > limit:
            raise ContextExceeded(
                f"The prompt has {size} bytes, and the {tokens} tokens that are accepted hold at most {limit} "
                f"({self._limit}): shorten it."
            )

    def _apply_chat_template(self, prompt: str | tuple[Message, ...], options: str) -> str:
        if isinstance(prompt, str):
            return prompt
        turns, variables = [_write_turn(message) for message in prompt], json.loads(options)
        # An assistant's message at the end is continued (TGI's chat template, vLLM's `continue_final_message`).
        is_begun = turns[-1]["role"] == "assistant"
        if is_begun and len(turns) > 1:
            if prompt[-1].reasoning:
                raise BadRequest(
                    "The last message is continued, and its reasoning would be lost: send the reasoning in `content`, "
                    "before the answer and as the model writes it."
                )
            begun = turns.pop()["content"]
            return render(self.tokenizer, turns, variables) + begun
        text = render(self.tokenizer, turns, variables)
        return _cut_behind(text, turns[-1]["content"]) if is_begun else text


def _write_turn(message: Message) -> dict[str, str]:
    """A message as templates read it: reasoning by the name of most (vLLM's too), and by that of gpt-oss."""
    turn = {"role": message.role, "content": message.content}
    return turn if message.reasoning is None else turn | dict.fromkeys(REASONING, message.reasoning)


def _cut_behind(text: str, begun: str) -> str:
    """The templated text of a conversation's only message, without what the template writes behind it."""
    start = text.rfind(begun)
    if start < 0:
        raise TemplateRefused("The model's chat template changes this message: it cannot be continued.")
    return text[: start + len(begun)] if begun else text
