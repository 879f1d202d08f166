"""A tab without a browser: it speaks Gradio's queue protocol and discards the updates.

`python -m tests.figures.tab URL PROMPT` opens one in a process of its own; each line it reads is a click on Generate.
"""

import http.client
import json
import secrets
import socket
import sys
import threading
from contextlib import suppress
from typing import Any, Final

PREFIX: Final = "/gradio_api"
JSON: Final = {"Content-Type": "application/json"}
Dependency = dict[str, Any]


class Tab:
    """The page at `url`, opened. `click` runs the same listeners as a click in Gradio's client."""

    def __init__(self, url: str) -> None:
        self._host = url.removeprefix("http://")
        self._session = secrets.token_hex(6)
        config = self._fetch("GET", "/config")
        self._listeners: dict[int, Dependency] = {each["id"]: each for each in config["dependencies"]}
        self.values = {each["id"]: each["props"].get("value") for each in config["components"]}
        self.ids = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
        self._asked: dict[str, Dependency] = {}  # the listener of each event after a click
        self._lock = threading.RLock()
        self._running = 0
        self.updated = threading.Event()  # an update of a listener that is running
        self.idle = threading.Event()
        for listener in self._find("load"):
            given = ["" if listener["js"] else self.values[each] for each in listener["inputs"]]
            self._post("/queue/join", listener, given)
        self._listening = http.client.HTTPConnection(self._host)
        self._listening.request("GET", f"{PREFIX}/queue/data?session_hash={self._session}")
        self._socket: socket.socket = self._listening.sock
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()

    def click(self, name: str) -> None:
        """Press the button with the id `name`; `idle` is set when all listeners have ended."""
        with self._lock:
            self.idle.clear()
            for listener in self._find("click", self.ids[name]):
                self._run(listener)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._listening.close()

    def _find(self, event: str, target: int | None = None) -> list[Dependency]:
        every = self._listeners.values()
        return [each for each in every if any(on == event and target in (None, of) for of, on in each["targets"])]

    def _run(self, listener: Dependency) -> None:
        given = [self.values[each] for each in listener["inputs"]]
        if not listener["backend_fn"]:  # runs in the browser: gathers values
            self.values[listener["outputs"][0]] = given
            self._run_next(listener)
        elif listener["queue"]:
            self._running += 1
            self._asked[self._post("/queue/join", listener, given)["event_id"]] = listener
        else:
            self._post("/run/predict", listener, given)
            self._run_next(listener)

    def _run_next(self, listener: Dependency) -> None:
        for each in self._listeners.values():
            if each["trigger_after"] == listener["id"]:
                self._run(each)

    def _post(self, path: str, listener: Dependency, given: list[Any]) -> Any:
        body = {"data": given, "event_data": None, "fn_index": listener["id"], "session_hash": self._session}
        return self._fetch("POST", PREFIX + path, json.dumps(body))

    def _fetch(self, method: str, path: str, body: str | None = None) -> Any:
        # A new connection each time: the server closes those that are idle.
        connection = http.client.HTTPConnection(self._host)
        connection.request(method, path, body, JSON)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status == 200, answer
        return answer

    def _read_events(self) -> None:
        with suppress(http.client.IncompleteRead, ConnectionError), self._listening.getresponse() as response:
            for line in response:
                if b'"process_generating"' in line and not self.updated.is_set():
                    if json.loads(line.removeprefix(b"data: "))["event_id"] in self._asked:
                        self.updated.set()
                elif b'"process_completed"' in line:
                    self._end(json.loads(line.removeprefix(b"data: ")))

    def _end(self, message: dict[str, Any]) -> None:
        assert message["success"], message
        with self._lock:
            listener = self._asked.pop(message["event_id"], None)
            if listener is None:
                return
            self._running -= 1
            self._run_next(listener)
            if self._running == 0:
                self.idle.set()


def main(url: str, prompt: str) -> None:
    tab = Tab(url)
    tab.values[tab.ids["prompt"]] = prompt
    for _ in sys.stdin:
        tab.click("generate")
        tab.idle.wait()
        print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
