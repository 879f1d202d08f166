"""nginx with the configurations of `assets/snippets`, but for ports and the name of its folder; unprivileged."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.snippets import FOLDER
from tests.comparison.systems.process import find_port

UPSTREAMS: Final = ("127.0.0.1:7860", "127.0.0.1:7861")
KINDS: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
# One process, so that it ends as a whole, and in a folder of its own: all else is nginx's default.
CONFIGURATION: Final = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    %s
    %s
}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A proxy that answers at `url`."""

    url: str
    process: "subprocess.Popen[str]"

    def kill(self) -> None:
        """At once, with all its connections."""
        self.process.kill()
        self.process.wait()


@contextmanager
def run_nginx(folder: Path, name: str, *upstreams: str, port: int = 0) -> Iterator[Nginx]:
    """nginx in front of `upstreams`, by the configuration `name`, until the block ends."""
    port = port or find_port()
    server = (FOLDER / f"nginx-{name}.conf").read_text("utf-8")
    addresses = [url.removeprefix("http://") for url in upstreams]
    for written, meant in (("listen 80", f"listen 127.0.0.1:{port}"), *zip(UPSTREAMS, addresses, strict=False)):
        assert server.count(written) == 1, written
        server = server.replace(written, meant)
    folders = "\n    ".join(f"{kind}_temp_path {kind};" for kind in KINDS)
    (folder / "nginx.conf").write_text(CONFIGURATION % (folders, server))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "there is no nginx: sh tests/browser/install-nginx.sh"
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_until_listening(process)
            yield Nginx(f"http://127.0.0.1:{port}", process)
        finally:
            process.kill()


def _wait_until_listening(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "event method" in line:
            return
    raise AssertionError(f"nginx ended without listening:\n{said}")
