"""A Space on this machine: installed and started as the platform does it, with a hub that never answers, and looked at.

What the platform alone can show: its proxy, its GPUs, and whether the hub has the files that `preload_from_hub` names.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright
from safetensors.torch import load_file, save_file

from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.loading.source import HUB_ID_ON_CPU
from tests.browser.chromium import launch
from tests.browser.tab import SIZES
from tests.comparison.systems.process import find_port
from tests.comparison.systems.requantize import require_embedded
from tests.space.front_matter import split_readme
from tests.space.platform import UID, choose_user, install, write_environment
from tests.space.variants import FILES, GPU, Variant
from tests.tools.hub_cache import make_snapshot

PATIENCE: Final = 300.0  # seconds
PICTURES: Final = ("frame", "wide", "phone")


def reproduce(variant: Variant, folder: Path, pictures: Path) -> None:
    """Run the variant, and one race on it in each size; its pictures are named after it."""
    print(f"{variant.name}:", flush=True)
    if variant is GPU:
        print("  a server like that of cpu; its GPU is not here: make figures-gpu measures one")
        return
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        with serve_space(folder, Path(name)) as url, sync_playwright() as playwright:
            browser = launch(playwright)
            for path in take_pictures(browser, url, pictures, variant.name):
                print(f"  {path}", flush=True)


@contextmanager
def serve_space(folder: Path, base: Path) -> Iterator[str]:
    """The app of this folder, in a home below `base`, as a Space's user."""
    fields, _ = split_readme((folder / "README.md").read_text("utf-8"))
    python, home, port = install(folder, base / "venv"), base / "home" / "user", find_port()
    shutil.copytree(folder, home / "app")
    write_snapshot(home / ".cache" / "huggingface" / "hub")
    own(home)
    with silent_hub() as hub:
        environment = {**write_environment(fields, home, python), "HF_ENDPOINT": hub, "DEMO_PORT": str(port)}
        with start_app(python, home / "app", environment) as process:
            begun, url = time.monotonic(), f"http://127.0.0.1:{port}"
            wait_for(url, process)
            page = time.monotonic() - begun
            wait_for(f"{url}/health", process)
            print(f"  the page after {page:.1f} s, ready after {time.monotonic() - begun:.1f} s", flush=True)
            compiled = [path.name for path in (home / ".cache" / "token-streaming").glob("compiled-*")]
            print(f"  compiled at this start: {', '.join(compiled) or 'no kernels'}", flush=True)
            yield url


def write_snapshot(hub: Path) -> None:
    """A stand-in for what `preload_from_hub` downloads: the embedded model in bfloat16, as the hub's cache has it."""
    converted, folder = convert_once(require_embedded(), print), make_snapshot(hub, HUB_ID_ON_CPU)
    for name in FILES.split(","):
        _write_file(name, converted, folder / name)


def _write_file(name: str, converted: Path, path: Path) -> None:
    if name.endswith(".safetensors"):
        tensors = {key: tensor.to(torch.bfloat16) for key, tensor in load_file(converted / name).items()}
        save_file(tensors, path, {"format": "pt"})
        return
    value: dict[str, Any] = json.loads((converted / name).read_text("utf-8"))
    if name == "config.json":
        value["dtype"] = "bfloat16"
    elif name == "tokenizer_config.json":  # as the model's own repository has it
        value["chat_template"] = (converted / "chat_template.jinja").read_text("utf-8")
    path.write_text(json.dumps(value), "utf-8")


@contextmanager
def start_app(python: Path, app: Path, environment: dict[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    """The process of `python app.py`: as uid 1000 where this process may choose, and its group ends with it."""
    user = choose_user()
    print(f"  as uid {user.get('user', os.geteuid())}", flush=True)
    process = subprocess.Popen([str(python), "app.py"], cwd=app, env=environment, **user)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def own(home: Path) -> None:
    """Give a home to the Space's user, and to nobody else."""
    os.chmod(home, 0o700)
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, UID, UID)


@contextmanager
def silent_hub() -> Iterator[str]:
    """The address of a hub that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once `url` answers 200. Raises AssertionError where the process ends or takes too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer 200 within {PATIENCE:g} s")


def take_pictures(browser: Browser, url: str, folder: Path, name: str) -> Iterator[Path]:
    """Each size before and after a race whose two sides have the same text."""
    for size in PICTURES:
        page = browser.new_page(viewport=SIZES[size])
        page.goto(f"{url}/?__theme=light")
        expect(page.locator("#generate")).to_be_enabled()
        yield take(page, folder / f"{name}-{size}-1-before.png")
        page.locator("#generate").click()
        expect(page.locator("#whole-phase")).to_have_text(re.compile("done|recorded"))
        streamed, whole = (page.locator(f"#{side}-text").inner_text() for side in ("streamed", "whole"))
        assert streamed == whole != "", f"{size}: {streamed!r} and {whole!r}"
        yield take(page, folder / f"{name}-{size}-2-after.png")
        page.close()


def take(page: Page, path: Path) -> Path:
    page.screenshot(path=path)
    return path
