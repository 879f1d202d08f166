"""One timed request, and what there is to ask of a server before. Knows HTTP; of replies only what dialects say."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from demo.bench.dialects import DIALECTS, Ask, Dialect, Json, Mode, read_error
from demo.bench.sample import Arrivals, Sample, Unmeasured, read_sample
from demo.errors import Overloaded

FALLBACK_MODEL = "tgi"

_EXAMPLE = "give one like http://localhost:7860"


@dataclass(frozen=True, slots=True)
class Target:
    """Who is measured, and with what."""

    url: str
    dialect: Dialect
    ask: Ask


def open_client(api_key: str | None, timeout: float) -> httpx2.Client:
    """Connections that are kept, as many as needed, unproxied and uncompressed. `timeout`: seconds of silence."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "demo.bench"}
    if api_key:
        if not api_key.isascii():
            raise Unmeasured("The --api-key holds characters that no header can: was it copied whole?")
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx2.Client(headers=headers, timeout=timeout, limits=limits, trust_env=False)


def check_url(url: str) -> str:
    """The server's address without a slash at its end. Raises Unmeasured where it can't be one."""
    try:
        parsed = httpx2.URL(url)
        parsed.host.encode("idna")  # as the resolver will, who raises otherwise
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Unmeasured(f"{url!r} is no address ({error}): {_EXAMPLE}.") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or (parsed.port or 0) > 65535:
        raise Unmeasured(f"{url!r} is no address of a server: {_EXAMPLE}.")
    if parsed.query or parsed.fragment:
        raise Unmeasured(f"{url!r} has more than an address: {_EXAMPLE}.")
    return url.rstrip("/")


def choose_dialect(http: httpx2.Client, url: str, name: str) -> Dialect:
    """The dialect of that name; for `auto` native where /info names a model as TGI's does, else chat."""
    if name != "auto":
        return DIALECTS[name]
    info = get_json(http, f"{url}/info")
    return DIALECTS["native" if isinstance(info, dict) and "model_id" in info else "chat"]


def choose_model(http: httpx2.Client, url: str) -> str:
    """The first model that the server lists."""
    match get_json(http, f"{url}/v1/models"):
        case {"data": [{"id": str(model)}, *_]}:
            return model
    return FALLBACK_MODEL


def get_json(http: httpx2.Client, url: str) -> Json:
    """What the server answers there; None where it has nothing there, or no JSON."""
    with _name_failures(url):
        response = http.get(url)
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None


def measure_request(http: httpx2.Client, target: Target, mode: Mode) -> Sample:
    """Time one request. Raises Overloaded where it is refused for now, Unmeasured where it fails otherwise.

    Nothing is decoded before the body has ended, so that reading adds next to nothing to what is measured.
    """
    body = target.dialect.body(target.ask, mode)
    request = http.build_request("POST", target.url + target.dialect.path(mode), json=body)
    with _name_failures(target.url):
        sent = time.perf_counter()
        response = http.send(request, stream=True)
        headers = time.perf_counter()
        try:
            _check_status(response)
            reads = [(time.perf_counter(), read) for read in response.iter_raw()]
            end = time.perf_counter()
        finally:
            response.close()
    return read_sample(target.dialect, mode, Arrivals(sent, headers, reads, end, response.headers))


def _check_status(response: httpx2.Response) -> None:
    """Raises where the request was not admitted."""
    if response.is_success:
        return
    text = response.read().decode(errors="replace")
    said = _read_refusal(text) or "nothing more"
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        raise Overloaded(f"The server refused a request for now (429): {said}")
    raise Unmeasured(f"{response.request.url} answered {response.status_code}: {said}")


def _read_refusal(text: str) -> str:
    """An error body's own sentence, else its beginning."""
    try:
        said = read_error(json.loads(text))
    except ValueError:
        said = None
    return " ".join((said or text).split())[:300]


@contextmanager
def _name_failures(url: str) -> Iterator[None]:
    """What goes wrong below HTTP, said in a sentence."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise Unmeasured(f"{url} was silent for too long: is it busy, or is --timeout too short?") from error
    except httpx2.ConnectError as error:
        raise Unmeasured(f"{url} can't be reached ({error}): is the server running?") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unmeasured(f"{url} broke the connection ({type(error).__name__}: {error}).") from error
