"""The HTTP connection to an engine elsewhere: JSON in, JSON or events out, errors as this server's own.

Knows no dialect's routes.
"""

from collections.abc import AsyncGenerator
from typing import Any, Final, TypeAlias

import httpx2
import orjson

from demo.address import parse_address
from demo.errors import BadRequest, ContextExceeded, DemoError, EngineFailed, NotReady, Overloaded, TemplateRefused

Json: TypeAlias = dict[str, Any]

CONNECT_SECONDS: Final = 5.0
ASK_SECONDS: Final = 10.0  # for what an engine knows at once: its model, the tokens of a text
DONE: Final = "[DONE]"
KINDS: Final[dict[str, type[DemoError]]] = {
    each.kind: each for each in (BadRequest, TemplateRefused, Overloaded, NotReady)
}
# Where prompt and answer do not fit, in vLLM's and in TGI's words; OpenAI's dialect has a code for it.
TOO_LONG: Final = ("maximum context length", "`max_new_tokens` must be <=")
# TGI's clients recognise an error by these words; the reply's own dialect writes them again.
PREFIXES: Final = ("Input validation error: ", "Template error: ", "unhealthy: ", "Incomplete generation: ")


class Unreachable(NotReady):
    """No HTTP reply at all."""


class Unauthorized(DemoError):
    """The engine elsewhere refuses the key, or the lack of one."""


class WrongRoute(DemoError):
    """The engine elsewhere has no such route or model."""


class NoStream(EngineFailed):
    """A reply to a request for a stream that is none."""


class Cut(EngineFailed):
    """The connection ended within a stream: a replica was killed, or a proxy gave up."""


class Connection:
    """Speaks to the server at `url`, with or without `/v1` at its end. Used from one event loop."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.name = f"The engine at {self.url}"
        self._timeout = timeout
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        patience = httpx2.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout))
        self._http = httpx2.AsyncClient(
            headers=headers,
            timeout=patience,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            verify=self.url.startswith("https:"),  # a context for it reads every authority's certificate
            trust_env=not is_near(httpx2.URL(self.url).host),  # the proxy of the environment is for other networks
        )

    async def ask(self, path: str, body: Json | None = None) -> Any:
        """The JSON reply: to a GET, or to a POST of `body`. Raises Unreachable, or what `read_refusal` returns."""
        try:
            response = await self._http.request(
                "GET" if body is None else "POST", self.url + path, json=body, timeout=ASK_SECONDS
            )
        except (httpx2.HTTPError, OSError) as error:
            raise self._make_unreachable(error) from error
        reply = _parse(response.content)
        if response.status_code != 200:
            raise read_refusal(response.status_code, reply, self.name)
        return reply

    async def stream(self, path: str, body: Json) -> AsyncGenerator[Json]:
        """The events of the reply to a POST. Raises as `ask`, NoStream, or Cut where it ends before its end."""
        begun = False
        try:
            async with self._http.sse(self.url + path, method="POST", json=body) as source:
                begun = True
                await self._check(source.response)
                async for event in source:
                    if event.data == DONE:
                        return
                    yield self._read(event.data)
        except httpx2.ReadTimeout as error:
            raise Cut(
                f"{self.name} sent nothing for {self._timeout:g} s: ask again, or allow more with --endpoint-timeout."
            ) from error
        except (httpx2.HTTPError, OSError) as error:
            if not begun:
                raise self._make_unreachable(error) from error
            raise Cut(f"{self.name} closed the connection before the answer's end: ask again.") from error

    async def close(self) -> None:
        await self._http.aclose()

    def _make_unreachable(self, error: Exception) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(f"{self.name} can't be reached ({reason}): try again in a few seconds.")

    async def _check(self, response: httpx2.Response) -> None:
        if response.status_code != 200:
            raise read_refusal(response.status_code, _parse(await response.aread()), self.name)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            raise NoStream(f"{self.name} answers without a stream: tokens can't be shown as they are generated.")

    def _read(self, data: str) -> Json:
        event = _parse(data.encode())
        if not isinstance(event, dict):
            raise EngineFailed(f"{self.name} sent an event that is not a JSON object.")
        if event.get("error") is not None or event.get("object") == "error":
            raise read_refusal(200, event, self.name)
        return event


def is_near(host: str) -> bool:
    """Whether a host is this machine or in a private network, as far as its name tells."""
    address = parse_address(host)
    return "." not in host if address is None else not address.is_global


def read_refusal(status: int, body: object, name: str) -> DemoError:
    """The error of a reply of HTTP `status`, or of an event with an error, where `status` is that of its reply."""
    outer = body if isinstance(body, dict) else {}
    inner = error if isinstance(error := outer.get("error"), dict) else {}
    text = _find_text(body)
    message = _write_message(text)
    if inner.get("code") == "context_length_exceeded" or any(words in text for words in TOO_LONG):
        return ContextExceeded(message)
    if (kind := KINDS.get(str(outer.get("error_type")))) is not None:
        return kind(message or f"{name} gives no reason.")
    if status < 400:
        codes = [code for code in (inner.get("code"), outer.get("code")) if isinstance(code, int) and 400 <= code < 600]
        status = codes[0] if codes else status
    said = f": {message}" if message else f" with status {status}."
    if status in (401, 403):
        return Unauthorized(f"{name} refuses the key{said}")
    if status in (429, 503):
        return Overloaded(f"{name} is overloaded{said}")
    if status in (404, 405):
        return WrongRoute(f"{name} has no such route or model{said}")
    if 400 <= status < 500:
        return BadRequest(message or f"{name} refuses the request with status {status}.")
    return EngineFailed(f"{name} failed{said}")


def _find_text(body: object) -> str:
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    return next((text for key in ("error", "message", "detail") if (text := _find_text(body.get(key)))), "")


def _write_message(text: str) -> str:
    """One line, without the prefix by which a dialect marks it."""
    for prefix in PREFIXES:
        text = text.removeprefix(prefix)
    return " ".join(text.split())[:500]


def _parse(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return content.decode(errors="replace")
