"""A hub's model is its local snapshot where that is complete; else what is needed of it is downloaded, and no more."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from transformers import BertConfig
from transformers.utils import logging as transformers_logging

from demo.engines.local.loading.hub import fetch
from demo.engines.local.loading.source import ModelSource
from demo.errors import ModelError
from tests.engines.local.tiny import make_network
from tests.engines.local.tiny_files import save_folder

HUB_ID = "org/tiny"
SOURCE = ModelSource(HUB_ID, "hub", HUB_ID, "as set: from the hub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """A hub of one repository, the files of `folder`; `asked` are the paths of all requests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []

    @property
    def sent(self) -> set[str]:
        """The names of the files that were downloaded."""
        return {path.partition(f"/resolve/{COMMIT}/")[2] for path in self.asked if path.startswith(f"/{HUB_ID}/")}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, folder = self.path.partition("?")[0], self.server.folder
        files = [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
        if path == f"/api/models/{HUB_ID}/tree/{COMMIT}":
            self._send(json.dumps([{"type": "file", "path": name, "oid": name, "size": 1} for name in files]).encode())
        elif path.startswith(f"/api/models/{HUB_ID}"):
            described = {"id": HUB_ID, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            self._send(json.dumps(described).encode())
        else:
            self._send((folder / path.partition(f"/resolve/{COMMIT}/")[2]).read_bytes())

    def _send(self, body: bytes) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        for name, value in (("Content-Length", str(len(body))), ("ETag", f'"{hash(body)}"'), ("X-Repo-Commit", COMMIT)):
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a Llama, and beside it what nobody needs here; the cache is empty."""
    folder = save_folder(tmp_path / "repository", make_network())
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"gigabytes")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights again")
    with Hub(folder) as hub:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        change_endpoint(monkeypatch, f"http://127.0.0.1:{hub.server_port}")
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()
    transformers_logging.disable_progress_bar()  # which a download shows


def find_snapshot(revision: str | None = None) -> Path:
    return Path(fetch(SOURCE, revision).place)


def change_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


def test_what_is_needed_is_downloaded_and_no_more(hub: Hub) -> None:
    folder = find_snapshot()
    assert folder.name == COMMIT
    needed = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert needed <= hub.sent
    assert not {name for name in hub.sent if name.endswith((".onnx", ".bin"))}


def test_a_complete_snapshot_is_used_without_asking_the_hub(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    folder = find_snapshot()
    hub.asked.clear()
    caplog.set_level("INFO", logger="demo")
    assert find_snapshot() == find_snapshot(COMMIT) == folder
    assert hub.asked == []
    reason = "in the local cache; the hub was not asked whether there is a newer one"
    assert f"commit={COMMIT} ({reason})" in caplog.messages


@pytest.mark.parametrize("absent", ["model.safetensors", "tokenizer_config.json", "config.json"])
def test_what_a_snapshot_lacks_is_downloaded(absent: str, hub: Hub) -> None:
    (find_snapshot() / absent).unlink()
    hub.asked.clear()
    assert (find_snapshot() / absent).exists()
    assert absent in hub.sent


def test_a_part_of_the_weights_that_a_snapshot_lacks_is_downloaded(hub: Hub) -> None:
    shutil.rmtree(hub.folder)
    save_folder(hub.folder, make_network(), max_shard_size="30KB")
    absent = max(path.name for path in hub.folder.glob("model-*"))
    (find_snapshot() / absent).unlink()
    assert (find_snapshot() / absent).exists()


def test_what_cannot_be_served_is_refused_before_its_weights_are_downloaded(hub: Hub) -> None:
    BertConfig().save_pretrained(hub.folder)
    with pytest.raises(ModelError, match="is a bert model"):
        find_snapshot()
    assert "model.safetensors" not in hub.sent


def test_a_repository_without_weights_is_refused(hub: Hub) -> None:
    for path in (hub.folder / "model.safetensors", hub.folder / "pytorch_model.bin"):
        path.unlink()
    with pytest.raises(ModelError, match=r"org/tiny holds no weights in safetensors: give another model"):
        find_snapshot()


def test_a_hub_that_refuses_connections_is_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    change_endpoint(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"org/tiny is not in the local cache and the hub can't be reached: "):
        find_snapshot()


def test_a_hub_that_never_answers_is_given_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.engines.local.loading.hub.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(_Handler, "do_GET", lambda handler: threading.Event().wait(1))
    with pytest.raises(ModelError, match="the hub can't be reached"):
        find_snapshot()
