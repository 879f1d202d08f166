"""A variant's folder, ready to be pushed: files that git knows, its own README and requirements, and LFS patterns."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from demo.static.folder import write_folder
from demo.static.recordings import read_all
from tests.space.front_matter import join_readme, list_faults, split_readme
from tests.space.variants import SERVED, Variant, can_compile, write_fields, write_requirements

ROOT: Final = Path(__file__).resolve().parents[2]
READMES: Final = ":(glob)tests/*/README.md"  # which `demo/README.md` links to
KERNELS: Final = "demo.engines.local.runners.cpu_llama.kernels"
# A push with a binary file outside LFS is refused.
BINARIES: Final = (".png", ".webp", ".nbc", ".nbi")
MAX_BYTES: Final = 10_000_000  # of a folder without its model: a guard against what does not belong there


def build_folder(variant: Variant, folder: Path) -> None:
    """Write the variant's folder anew."""
    shutil.rmtree(folder, ignore_errors=True)
    if variant.has_server:
        folder.mkdir(parents=True)
        _copy_app(variant, folder)
    else:
        write_folder(folder, read_all())
    patterns = (f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in BINARIES)
    (folder / ".gitattributes").write_text("".join(patterns), "utf-8")


def _copy_app(variant: Variant, folder: Path) -> None:
    for name in list_served():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    fields, body = split_readme((ROOT / "README.md").read_text("utf-8"))
    (folder / "README.md").write_text(join_readme(write_fields(variant, fields), body), "utf-8")
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    (folder / "requirements.txt").write_text(write_requirements(variant, requirements), "utf-8")
    if can_compile(variant):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, "-m", KERNELS, "ahead"], cwd=folder, env=environment, check=True)


def list_served() -> list[str]:
    """The files that a server needs, of those that git knows."""
    command = ["git", "ls-files", "-z", *SERVED, READMES]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in names.split("\0") if name]


def check_folder(folder: Path) -> list[str]:
    """What the hub would refuse or could not run, as sentences."""
    fields, _ = split_readme((folder / "README.md").read_text("utf-8"))
    faults = list_faults(fields)
    if "app_file" in fields and not (folder / fields["app_file"]).is_file():
        faults.append(f"app_file is {fields['app_file']}, which is missing")
    files = [path for path in folder.rglob("*") if path.is_file()]
    faults += [f"{path.relative_to(folder)} is binary: add it to LFS" for path in files if _is_loose_binary(path)]
    if (size := sum(path.stat().st_size for path in files)) > MAX_BYTES:
        faults.append(f"the folder has {size:,} bytes: {MAX_BYTES:,} at most")
    return faults


def _is_loose_binary(path: Path) -> bool:
    # As git tells text from binary: by a zero byte near the beginning.
    return path.suffix not in BINARIES and b"\0" in path.read_bytes()[:8000]
