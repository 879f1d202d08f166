"""A prompt as token ids: templated, bounded and truncated. Knows no runner."""

from dataclasses import dataclass, replace
from typing import Final

from demo.engine import Piece
from demo.engines.local.chat_template import render
from demo.engines.local.tokenizer import Tokenizer, TooManyTokens
from demo.errors import BadRequest
from demo.request import Message, Prompt

MAX_LISTED: Final = 65_536  # tokens of a text, which may be more than the model takes


@dataclass(frozen=True, slots=True)
class PromptEncoder:
    """Encodes prompts of at most `max_tokens`, from any thread."""

    tokenizer: Tokenizer
    max_tokens: int

    def encode(self, prompt: Prompt, truncate: int | None = None) -> list[int]:
        """Token ids of raw text, or of a conversation in the model's chat template; at most as many as the model takes.

        At most `truncate` ids: the last of a text, or a conversation without the beginning of its last message.
        Raises TemplateRefused where the template refuses the conversation, BadRequest where there are more ids than
        the model takes, or the template alone takes more than `truncate`. A text too long for any ids is not encoded.
        """
        text, raw = self._apply_chat_template(prompt), isinstance(prompt, str)
        self._check_bytes(text)
        try:
            if raw and truncate is not None:
                return self.tokenizer.encode(text, raw)[-truncate:]
            return self.tokenizer.encode(text, raw, truncate or self.max_tokens)
        except TooManyTokens as error:
            if truncate is None:
                raise describe_excess(error.count, self.max_tokens) from None
            assert not isinstance(prompt, str), "a text is cut, not refused"
            return self._encode_end(prompt, error.count, truncate)

    def _encode_end(self, turns: tuple[Message, ...], length: int, truncate: int) -> list[int]:
        """A conversation of `length` tokens, its last message cut at its beginning to `truncate` tokens in all."""
        *before, last = turns
        pieces = self.tokenizer.locate(last.content, raw=False, first=length - truncate)
        while pieces:
            cut = (*before, replace(last, content=last.content[pieces[0].start :]))
            try:
                return self.tokenizer.encode(self._apply_chat_template(cut), raw=False, limit=truncate)
            except TooManyTokens as error:
                pieces = pieces[error.count - truncate :]  # the rest has been encoded into more tokens
        empty = self._apply_chat_template((*before, replace(last, content="")))
        template = len(self.tokenizer.encode(empty, raw=False))
        raise BadRequest(
            f"truncate is {truncate}, and the model's chat template alone takes {template} tokens: allow more, or have "
            "the text read `raw`."
        )

    def locate(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        """The text that the model reads, and its tokens with their places in the text.

        Raises TemplateRefused, or BadRequest for more than MAX_LISTED tokens.
        """
        text = self._apply_chat_template(prompt)
        self._check_bytes(text)
        try:
            return text, self.tokenizer.locate(text, isinstance(prompt, str), MAX_LISTED)
        except TooManyTokens as error:
            sentence = f"The text has {error.count} tokens, and at most {MAX_LISTED} are listed at once: send less."
            raise BadRequest(sentence) from None

    def _check_bytes(self, text: str) -> None:
        """Raise BadRequest where `text` has more bytes than any tokens that the model takes can hold.

        A token's length is bounded, so no text that fits is refused. It holds for a text that would be truncated too,
        since its tokens are found from its beginning.
        """
        longest, tokens = self.tokenizer.longest, self.max_tokens
        if longest is None or 4 * len(text) <= tokens:  # a character has at most four bytes
            return
        size, limit = longest.count_bytes(text), longest.find_limit(text, tokens)
        if size > limit:
            raise BadRequest(
                f"The prompt has {size} bytes, and the {tokens} tokens that are accepted hold at most {limit}: "
                "shorten it."
            )

    def _apply_chat_template(self, prompt: Prompt) -> str:
        if isinstance(prompt, str):
            return prompt
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        # An assistant's message at the end is continued (TGI's chat template, vLLM's `continue_final_message`).
        begun = turns.pop()["content"] if len(turns) > 1 and turns[-1]["role"] == "assistant" else ""
        return render(self.tokenizer, turns) + begun


def describe_excess(tokens: int, most: int) -> BadRequest:
    """The refusal of a prompt of too many tokens."""
    return BadRequest(f"The prompt has {tokens} tokens, and at most {most} are accepted: shorten it.")
