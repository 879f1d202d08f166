"""What is measured: a server, the dialect and the request; and the measurement of one request or of several at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from demo.bench.client import Client
from demo.bench.dialects import DIALECTS, Dialect, Mode, Request
from demo.bench.load import Outcome
from demo.bench.sample import MeasurementError, Sample, TimedResponse, describe_error, read_sample
from demo.errors import Overloaded

FALLBACK_MODEL = "tgi"


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and what every request asks of it."""

    client: Client
    dialect: Dialect
    request: Request

    def measure(self, mode: Mode) -> Sample:
        """Time one request. Raises Overloaded for status 429, MeasurementError where it fails otherwise."""
        response = self.client.post(self.dialect.path(mode), self.dialect.body(self.request, mode))
        sample = self._read(mode, response)
        if sample is None:
            raise Overloaded(f"The server refused a request for now: it {describe_error(response)}")
        return sample

    def measure_together(self, streams: int) -> list[Sample | None]:
        """Time concurrent streams; None for each that was refused with status 429."""
        bodies = [self.dialect.body(self.request, "streamed") for _ in range(streams)]
        responses = self.client.post_together(self.dialect.path("streamed"), bodies)
        return [self._read("streamed", response) for response in responses]

    def measure_on_schedule(self, starts: Sequence[float]) -> list[Outcome]:
        """Time streams that start at these seconds from the first: None where refused, an error where one failed."""
        bodies = [self.dialect.body(self.request, "streamed") for _ in starts]
        responses = self.client.post_on_schedule(self.dialect.path("streamed"), bodies, starts)
        return [self._read_outcome(response) for response in responses]

    def _read_outcome(self, response: TimedResponse | MeasurementError) -> Outcome:
        if isinstance(response, MeasurementError):
            return response
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:  # vLLM's word for too many
            return None
        try:
            return self._read("streamed", response)
        except MeasurementError as error:
            return error

    def _read(self, mode: Mode, response: TimedResponse) -> Sample | None:
        if response.is_success:
            return read_sample(self.dialect, mode, response)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return None
        raise MeasurementError(f"{self.client.url}{self.dialect.path(mode)} {describe_error(response)}")


def choose_dialect(client: Client, name: str) -> Dialect:
    """The dialect of that name; for `auto`, native where /info names a model as TGI's does, else chat."""
    if name != "auto":
        return DIALECTS[name]
    info = client.get_json("/info")
    return DIALECTS["native" if isinstance(info, dict) and "model_id" in info else "chat"]


def choose_model(client: Client) -> str:
    """The first model that the server lists."""
    match client.get_json("/v1/models"):
        case {"data": [{"id": str(model)}, *_]}:
            return model
    return FALLBACK_MODEL
