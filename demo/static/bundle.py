"""The page's modules as one classic script, since a browser loads no module from a file that is opened from disk.

Each module becomes a function of the same text, whose import and export statements are replaced. Knows no page.
"""

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

IMPORT: Final = re.compile(r'^import\s+(?:(?P<names>[^"]+?)\s+from\s+)?"(?P<path>[^"]+)";', re.MULTILINE)
EXPORT: Final = re.compile(
    r"^export (?=(?:async )?(?:const|let|class|function\*?)\s+(?P<name>\w+))(?P<rest>)", re.MULTILINE
)
DEFAULT: Final = re.compile(r"^export default ", re.MULTILINE)
LIST: Final = re.compile(r"(?:^|(?<=;))export\s*\{(?P<names>[^}]+)\};?", re.MULTILINE)
LEFT: Final = re.compile(r"^(?:import|export)\b", re.MULTILINE)
DYNAMIC: Final = re.compile(r"\bimport\(")
# Modules are evaluated as in a browser: each once, after those that it imports.
RUNTIME: Final = """\
(() => {
"use strict";
const base = document.currentScript.src;
const modules = {};
const loads = {}; // of modules that are files of their own, by their paths
const find = (path) => {
  if (!modules[path]) throw new Error(`This page has no module ${path}.`);
  return modules[path];
};
const define = (path, evaluate) => {
  const exports = modules[path] = {};
  const url = new URL(path, base).href;
  const load = async (relative) => {
    const wanted = new URL(relative, url).href.slice(new URL(".", base).href.length);
    if (!modules[wanted]) await (loads[wanted] ??= loadFile(wanted));
    return find(wanted);
  };
  evaluate(exports, find, load, { url }, give);
};
globalThis.defineModule = define;
const loadFile = (path) => new Promise((resolve, reject) => {
  const script = Object.assign(document.createElement("script"), { src: new URL(path, base).href, onload: resolve });
  script.onerror = () => reject(new Error(`This page has no file ${path}.`));
  document.head.append(script);
});
const give = (exports, getters) => {
  for (const [name, get] of Object.entries(getters)) Object.defineProperty(exports, name, { get, enumerable: true });
};
"""


def write_bundle(entry: str, read: Callable[[str], str], replaced: Mapping[str, str]) -> str:
    """The script of module `entry` and all that it imports; paths are relative to the bundle.

    `replaced` holds the texts of modules that stand in for others. Raises ValueError where a statement has a form that
    this doesn't know, or modules import each other in a circle.
    """
    texts, graph, waiting = dict[str, str](), dict[str, set[str]](), [entry]
    while waiting:
        path = waiting.pop()
        if path in texts:
            continue
        texts[path] = replaced[path] if path in replaced else read(path)
        graph[path] = {_resolve(path, found["path"]) for found in IMPORT.finditer(texts[path])}
        waiting.extend(graph[path])
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"Modules import each other in a circle: {', '.join(error.args[1])}.") from None
    return RUNTIME + "".join(_wrap(path, texts[path]) for path in order) + "})();\n"


def write_file(path: str, text: str) -> str:
    """The script of a module that imports nothing: a file of its own at `path`, loaded when it is asked for."""
    return f"globalThis.defineModule{_wrap(path, text).removeprefix('define')}"


def _resolve(importer: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


def _wrap(path: str, text: str) -> str:
    getters: dict[str, str] = {}

    def replace_import(found: re.Match[str]) -> str:
        return _write_import(found["names"], _resolve(path, found["path"]))

    def note_export(found: re.Match[str]) -> str:
        getters[found["name"]] = found["name"]
        return ""

    def note_list(found: re.Match[str]) -> str:
        for each in found["names"].split(","):
            name, _, alias = each.strip().partition(" as ")
            getters[alias or name] = name
        return ""

    def note_default(_: re.Match[str]) -> str:
        getters["default"] = "_default"
        return "const _default = "

    text = DEFAULT.sub(note_default, IMPORT.sub(replace_import, text))
    text = LIST.sub(note_list, EXPORT.sub(note_export, text))
    text = DYNAMIC.sub("_load(", text).replace("import.meta", "_meta")
    if left := LEFT.search(text):
        statement = text[left.start() :].splitlines()[0]
        raise ValueError(f"{path} has a statement that the bundle doesn't know: {statement}")
    given = ", ".join(f"{json.dumps(name)}: () => {value}" for name, value in getters.items())
    head = f"define({json.dumps(path)}, (_exports, _find, _load, _meta, _give) => {{\n_give(_exports, {{ {given} }});\n"
    return f"{head}{text}\n}});\n"


def _write_import(names: str | None, path: str) -> str:
    found = f"_find({json.dumps(path)})"
    if names is None:
        return ""
    if names.startswith("{"):
        return f"const {names.replace(' as ', ': ')} = {found};"
    if names.startswith("* as "):
        return f"const {names.removeprefix('* as ')} = {found};"
    return f"const {{ default: {names} }} = {found};"
