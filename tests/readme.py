"""The parts of the READMEs that are made from code and files: `python -m tests.readme` writes them again.

A part stands between `<!-- NAME: ARGUMENTS -->` and `<!-- end of NAME -->`.
"""

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Final

from gguf import GGMLQuantizationType

from demo.engines.local.runners.cpu_llama.architectures.architecture import Architecture
from demo.engines.local.runners.cpu_llama.architectures.families import FAMILIES
from demo.engines.local.runners.cpu_llama.kernels.operations import GELU
from demo.engines.local.runners.cpu_llama.weights.blocks import PACKED, PLAIN, is_readable
from demo.settings import Settings, describe_setting, format_flag, format_variable
from demo.snippets import FOLDER, LANGUAGES
from tests import way
from tests.engines.local.runners.cpu_llama.architectures.paths import find_gpu_path
from tests.engines.local.runners.cpu_llama.architectures.tiny_families import CONFIGS

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
READMES: Final = (README, *sorted((ROOT / "demo").rglob("README.md")), *sorted((ROOT / "tests").glob("*/README.md")))
# What a family's functions choose, by `model_type`.
BY_LAYER: Final[dict[str, tuple[str, ...]]] = {
    "mistral": ("a window, where the config has one",),
    "smollm3": ("layers that do not rotate",),
    "gemma3_text": ("a scaled embedding", "two rotary bases", "a window in five of six layers"),
    "phi3": ("partial rotation", "LongRoPE up to the original context"),
}
FIGURES: Final = ROOT / "tests" / "figures" / "README.md"
# The figures that the first README repeats, by how their rows begin.
CHOSEN: Final = (
    "one request |",
    "eight requests at once |",
    "start, until the model answers |",
    "is streaming slower?",
)


def write_table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])


def write_settings(names: str) -> str:
    """The named settings and what each sets; without names all of them, with variable and allowed values."""
    settings = {format_flag(each).removeprefix("--"): each for each in fields(Settings)}
    if names:
        rows = [f"| `{format_flag(settings[name])}` | {describe_setting(settings[name])} |" for name in names.split()]
        return write_table("| setting | what it sets [default] |", rows)
    rows = [
        f"| `{format_flag(each)}` | `{format_variable(each)}` | {describe_setting(each)} | {each.metadata['allowed']} |"
        for each in settings.values()
    ]
    return write_table("| flag | variable | what it sets [default] | allowed |", rows)


def write_files(_: str) -> str:
    """Every module of the app, folder by folder, with the first sentence of its docstring."""
    demo = ROOT / "demo"
    folders = [demo, *sorted(path.parent for path in demo.rglob("__init__.py") if path.parent != demo)]
    return "\n\n".join(filter(None, map(write_folder, folders)))


def write_folder(folder: Path) -> str:
    paths = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    rows = [f"| [`{path.name}`]({path.relative_to(ROOT / 'demo')}) | {summarise(path)} |" for path in paths]
    return write_table(f"| `{folder.relative_to(ROOT)}/` | |", rows) if rows else ""


def summarise(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.split(r"(?<=[.])\s", docstring.replace("\n", " "), maxsplit=1)[0].rstrip(".").replace("|", "\\|")


def write_snippet(name: str) -> str:
    """One file of `assets/snippets`."""
    path = FOLDER / name
    return f"```{LANGUAGES.get(path.suffix, 'nginx')}\n{path.read_text('utf-8')}```"


def write_figures(_: str) -> str:
    """Some rows of what was measured."""
    rows = FIGURES.read_text("utf-8").replace(" ²", "").splitlines()
    chosen = [row for row in rows if row.startswith(tuple(f"| {each}" for each in CHOSEN))]
    return write_table("| what | measured |", chosen)


def write_families(_: str) -> str:
    """The families that the CPU kernels compute, and how each differs from Llama."""
    paths = {CONFIGS[family]().model_type: find_gpu_path(family) for family in CONFIGS}
    rows = [
        f"| `{each.model_type}` | `{each.gguf}` | {describe_family(each)} | our kernels | {paths[each.model_type]} |"
        for each in FAMILIES
    ]
    head = "| in a folder or on the hub | in a GGUF file | differs from Llama by | on a CPU | on a GPU |"
    return write_table(head, rows)


def write_quantizations(_: str) -> str:
    """How the CPU kernels multiply the quantization types of GGUF files."""
    exact, rounded = ([each.name for each in PACKED if each.name.endswith("_K") == is_k] for is_k in (False, True))
    others = sorted(each.name for each in GGMLQuantizationType if each not in (*PLAIN, *PACKED) and is_readable(each))
    rows = [
        (sorted(each.name for each in PLAIN), "as they are, with `--dtype stored`; else rounded to 8 bits"),
        (exact, "as they are"),
        (rounded, "as they are; scales and minima, which are products, are rounded to float16"),
        (others, "rounded to 8 bits, 32 numbers per scale"),
    ]
    written = (f"| {', '.join(names)} | {how} |" for names, how in rows)
    return write_table("| type | how its weights are multiplied |", written)


def describe_family(family: Architecture) -> str:
    """What its description says, and what its functions choose."""
    parts = [
        "biases of queries, keys and values" if family.biases else "",
        "a norm of each query and key" if family.has_head_norms else "",
        "norms after attention and MLP" if family.has_post_norms else "",
        "GELU" if family.activation == GELU else "",
        "fused projections" if family.is_fused else "",
        *BY_LAYER.get(family.model_type, ()),
    ]
    return ", ".join(filter(None, parts)) or "nothing"


PARTS: Final[dict[str, Callable[[str], str]]] = {
    "settings": write_settings,
    "files": write_files,
    "snippet": write_snippet,
    "figures": write_figures,
    "families": write_families,
    "quantizations": write_quantizations,
    "stations": lambda _: way.write_table(),
    "way": lambda _: way.write_inside(),
}
MARKED: Final = re.compile(r"^(<!-- ([a-z ]+)(?:: ([^\n]*))? -->\n).*?^(<!-- end of \2 -->)$", re.DOTALL | re.MULTILINE)


def renew(text: str) -> str:
    """`text` with every marked part as code and files have it now."""

    def write(found: "re.Match[str]") -> str:
        head, name, arguments, tail = found.groups()
        return f"{head}{PARTS[name](arguments or '')}\n{tail}"

    return MARKED.sub(write, text)


if __name__ == "__main__":
    for path in READMES:
        path.write_text(renew(path.read_text("utf-8")), "utf-8")
