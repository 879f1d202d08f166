"""What the platform does with a Gradio Space, as its build logs and documentation show it: installs, sets variables.

The build installs requirements.txt and the SDK by one command, before it copies the repository: nothing of the
repository can be run while it is built.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.space.folder import ROOT
from tests.space.front_matter import split_readme
from tests.space.variants import write_torch

EXTRAS: Final = ("uvicorn>=0.14.0", "websockets>=10.4", "spaces")
UID: Final = 1000


def install(folder: Path, venv: Path) -> Path:
    """A fresh virtual environment by the platform's command; returns its Python."""
    fields, _ = split_readme((folder / "README.md").read_text("utf-8"))
    python, is_wanted = find_python(fields["python_version"])
    requirements = venv.with_suffix(".txt")
    requirements.write_text(_write_installable(folder, is_wanted), "utf-8")
    print(f"  Python {fields['python_version']}: {python if is_wanted else f'not here, {python} instead'}", flush=True)
    subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-cache-dir"]
    sdk = f"gradio[oauth,mcp]=={fields['sdk_version']}"
    subprocess.run([*pip, "-r", str(requirements), sdk, *EXTRAS], check=True)
    return venv / "bin" / "python"


def find_python(wanted: str) -> tuple[str, bool]:
    """A Python that the Space's user may run, and whether it is the variant's; 3.12.12 is any 3.12.

    Raises AssertionError where there is none.
    """
    places = [*os.get_exec_path(), "/usr/local/bin", "/usr/bin"]
    for name in ("python" + ".".join(wanted.split(".")[:2]), "python3"):
        for found in (shutil.which(name, path=place) for place in places):
            if found and _may_run(found):
                return found, name != "python3"
    raise AssertionError(f"No Python here may be run by uid {UID}: install python3 where everyone may read it.")


def _may_run(python: str) -> bool:
    # One in root's home is not for others.
    try:
        return subprocess.run([python, "-c", "import ensurepip"], cwd="/", check=False, **choose_user()).returncode == 0
    except PermissionError:
        return False


def choose_user() -> dict[str, Any]:
    """For `subprocess`: uid 1000, where this process may choose."""
    return {"user": UID, "group": UID, "extra_groups": []} if os.geteuid() == 0 else {}


def _write_installable(folder: Path, is_wanted: bool) -> str:
    text = (folder / "requirements.txt").read_text("utf-8")
    if is_wanted:
        return text
    # Another Python has other builds of torch: the one that `make run` installs here.
    (line,) = [each for each in (ROOT / "requirements-torch.txt").read_text("utf-8").splitlines() if each[:1].isalpha()]
    return write_torch(text, line)


def write_environment(fields: Mapping[str, Any], home: Path, python: Path) -> dict[str, str]:
    """The variables of a Space's process, and nothing of this one's environment."""
    return {
        "HOME": str(home),
        "PATH": f"{home}/.local/bin:{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(home / "app"),
        "PYTHONUNBUFFERED": "1",
        "SYSTEM": "spaces",
        "SPACE_ID": "someone/token-streaming",
        "SPACE_HOST": "someone-token-streaming.hf.space",
        "SPACE_AUTHOR_NAME": "someone",
        "SPACE_REPO_NAME": "token-streaming",
        "SPACE_TITLE": fields["title"],
        "SPACE_CREATOR_USER_ID": "0123456789abcdef01234567",
        "ACCELERATOR": "none",
        "CPU_CORES": "2",
        "MEMORY": "16Gi",
        "GRADIO_ALLOW_FLAGGING": "never",
        "GRADIO_NUM_PORTS": "1",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_THEME": "huggingface",
        "TQDM_POSITION": "-1",
        "TQDM_MININTERVAL": "1",
    }
