"""Folders of the Space's variants, ready to be pushed, and checked: `python -m tests.space [FOLDER] [VARIANT ...]`.

With `--reproduce`, each that has a server is also installed and started as the platform does it, and looked at in a
browser.
"""

import argparse
import sys
from pathlib import Path

from tests.space.folder import build_folder, check_folder
from tests.space.variants import VARIANTS


def main() -> int:
    """The exit code: 1 where the hub would refuse a folder, or a variant does not run."""
    arguments = _read_arguments()
    folder: Path = arguments.folder
    chosen = [each for each in VARIANTS if each.name in arguments.variants] or list(VARIANTS)
    faults = 0
    for variant in chosen:
        build_folder(variant, folder / variant.name)
        found = check_folder(folder / variant.name)
        faults += len(found)
        print(f"{folder / variant.name}: {'ready to be pushed' if not found else ''}", flush=True)
        print("".join(f"  {fault}\n" for fault in found), end="")
    if arguments.reproduce and not faults:
        from tests.space.reproduction import reproduce

        for variant in (each for each in chosen if each.has_server):
            reproduce(variant, folder / variant.name, folder / "pictures")
    return 1 if faults else 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.space")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".space"))
    parser.add_argument("variants", nargs="*", metavar="VARIANT", choices=[[], *(each.name for each in VARIANTS)])
    parser.add_argument("--reproduce", action="store_true", help="install, start and look at each variant")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
