import shutil
import subprocess
from pathlib import Path

import pytest

from demo.static.bundle import write_bundle

MODULES = {
    "main.js": """import { add, sum as total } from "./deep/add.js";
import constants from "./constants.js";
import * as all from "./deep/add.js";
import "./effect.js";
const late = await0();
async function await0() { return (await import(`./deep/${"add"}.js`)).add(1, 1); }
add(2, 3);
globalThis.seen.push(total(), constants.name, Object.keys(all).sort().join(), import.meta.url);
late.then((two) => console.log(JSON.stringify([...globalThis.seen, two])));
""",
    "deep/add.js": """import {
  done,
} from "../effect.js";
export let count = 0;
export function add(one, other) { count = one + other; return count; }
export const sum = () => count;
const hidden = done;
export { hidden as shown };
""",
    "constants.js": 'export default {"name": "it"};\n',
    "effect.js": "globalThis.seen = [];\nexport const done = true;\n",
}


def read(path: str) -> str:
    return MODULES[path]


def test_a_bundle_does_what_its_modules_do(tmp_path: Path) -> None:
    script = write_bundle("main.js", read, {})
    start = 'globalThis.document = { currentScript: { src: "file:///a%20folder/page.js" } };\n'
    (tmp_path / "bundle.cjs").write_text(start + script, "utf-8")
    node = shutil.which("node")
    assert node is not None
    ran = subprocess.run([node, tmp_path / "bundle.cjs"], capture_output=True, text=True, check=False)
    assert ran.stdout == '[5,"it","add,count,shown,sum","file:///a%20folder/main.js",2]\n', ran.stderr


def test_a_module_can_be_replaced() -> None:
    script = write_bundle("main.js", read, {"effect.js": "export const done = 'another';"})
    assert "'another'" in script
    assert "globalThis.seen = []" not in script


@pytest.mark.parametrize(
    "statement",
    ['export * from "./effect.js";', 'import { a } from "./effect.js"', "export default", "import './effect.js';"],
)
def test_a_statement_that_the_bundle_does_not_know_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match=r"main\.js has a statement"):
        write_bundle("main.js", read, {"main.js": f"{statement}\n"})


def test_modules_that_import_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="circle"):
        write_bundle("main.js", read, {"effect.js": 'import "./main.js";'})
