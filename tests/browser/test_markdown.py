"""An answer rendered as Markdown while it is written, by its own modules, without a model and without Gradio."""

import random
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.events import ReasoningStart, Token
from demo.reasoning import Part, split_tokens
from demo.ui.files import ASSETS, PLACE, STYLES
from demo.ui.view.panes import write_parts

PROSE = [
    "Milk, rennet and time.",
    "One line\nand the next,  with two spaces.\n\nA second paragraph.\n\n\nA third, and an end.\n",
    "2 * 3 * 4 is 24, snake_case_name, $5 to $10, a [b] c[0], 5 < 6 > 4, C:\\dir, ~100, AT&T &amp; co.",
    "Emoji 😀 👩‍👩‍👧 🇪🇺\n中文和日本語。\nภาษาไทย\nمرحبا بالعالم\n",
    "1\n2\n3\n",
    "**never closed\n\nnext `neither\n\n*nor this",
]
MARKED = [
    "# Title\n\nIntro *it* **bold** ***both*** `code` ~~gone~~ _x_ __y__.\n",
    "Steps:\n\n3. three **b**\n4. four\n   - sub *a*\n   - sub `b`\n\n5. five\n\n   more of five\n\nEnd",
    "* a\n* b\n\n---\n\n> quote **q\n> more**\n> > nested\n\nafter",
    "```python\ndef f():\n    return 1\n```\nafter\n\n1. Do:\n   ```bash\n   ls x\n   ```\n2. Then\n",
    "Table:\n| a | **b** |\n|:--|--:|\n| 1 | `2` |\n| 3 | *4* |\n\nok",
    "- [x] done\n- [ ] to do **a**\n",
    "See [the docs](https://example.org/a_b?x=1) and https://example.org/c_d. **Bold [link](http://a.b) too**\n",
]
THOUGHT = "<think>\nHm, **x**.\n- a\n</think>\n\nAn *answer*."
PIECES = [
    *("a", "word ", "**", "*", "_", "__", "`", "```", "```js\n", "~~", "\n", "\n\n", "- ", "1. ", "2) ", "  ", "    "),
    *("> ", "# ", "|", "| a | b |\n|---|---|\n", "---\n", "[", "](http://x.y/)", "](javascript:x)", "!", "<b>"),
    *("<think>", "</think>", "\\", "é", "中", "😀", "http://a.b/_c_ ", ".", '"', "\t", "\r\n", "~~~\n", "[x] ", "***"),
    *(" ", "&amp;", "\n* ", "==="),
]
ADDRESSES = [
    *("javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "&#106;avascript:alert(1)", "vbscript:x"),
    *("javascript&colon;alert(1)", "data:text/html,<script>alert(1)</script>", "\x01javascript:alert(1)"),
    *("//evil.example", "file:///x"),
]
LARGE = [
    *("> " * 1000, "- " * 3000 + "x", "1. " * 1000 + "x", "```\n" * 5000, "[" * 50_000, "[a](" * 2000, "`a" * 2000),
    *("x" * 100_000, "*a " * 2000, "\\" * 50_000, "\n".join(">" * depth + " a" for depth in range(60))),
    *("| a | b |\n" * 2000, "- a\n" * 2000),
]

SET_UP = """async (place) => {
  const { createAnswer } = await import(`${place}/answer/markdown.js`);
  window.begin = () => {
    const element = document.createElement("div");
    element.className = "answer";
    document.body.replaceChildren(element);
    return { element, answer: createAnswer(element) };
  };
  window.write = (pieces) => {
    const begun = begin();
    for (const piece of pieces) begun.answer.append(...[piece].flat());
    begun.answer.end();
    return begun;
  };
}"""
COMPARE = """(cuttings) => {
  const [first, ...others] = cuttings.map((pieces) => write(pieces).element);
  return others.every((element) => element.isEqualNode(first)) ? null : first.innerHTML;
}"""
# What could be read after each character, and how high it was.
WATCH = """(text) => {
  const { element, answer } = begin();
  return (typeof text === "string" ? [...text] : text).map((piece) => {
    answer.append(...[piece].flat());
    return { text: element.innerText, height: element.offsetHeight };
  });
}"""


@pytest.fixture(scope="module")
def page(modules: Page, typing_url: str) -> Page:
    """A document with nothing on it but answers, and their style."""
    for name in STYLES[:3]:
        modules.add_style_tag(url=f"{PLACE}/{name}")
    modules.evaluate(SET_UP, f"{typing_url}{PLACE}")
    return modules


def cut(text: str, source: random.Random) -> list[str]:
    """The text in pieces of up to nine characters."""
    pieces = []
    while text:
        size = source.randint(1, 9)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def read(page: Page, text: str | list[str], what: str = "element.textContent") -> Any:
    """Something of the answer `text`, written at once."""
    return page.evaluate(f"(text) => {{ const {{ element, answer }} = write([text]); return {what}; }}", text)


@pytest.mark.parametrize("text", PROSE)
def test_the_text_of_plain_prose_is_the_text(page: Page, text: str) -> None:
    assert read(page, text) == text
    assert read(page, text, "element.innerText").replace("\n\n", "\n").split() == text.split()


def test_however_an_answer_is_cut_the_same_is_shown(page: Page) -> None:
    source = random.Random(18)
    soups = ["".join(source.choices(PIECES, k=source.randint(3, 50))) for _ in range(150)]
    for text in [*PROSE, *MARKED, *soups]:
        cuttings = [[text], list(text), cut(text, source), cut(text, source)]
        assert page.evaluate(COMPARE, cuttings) is None, repr(text)


@pytest.mark.parametrize("text", MARKED)
def test_no_mark_is_seen_before_its_meaning_is_known_and_nothing_jumps(page: Page, text: str) -> None:
    seen = page.evaluate(WATCH, text)
    for moment in seen:
        assert not any(mark in moment["text"] for mark in ("*", "`", "~", "#", "|", "__", "](")), moment["text"]
    heights = [moment["height"] for moment in seen]
    assert heights == sorted(heights)


def test_each_mark_has_its_element(page: Page) -> None:
    counts = {"h3": 1, "strong": 8, "em": 5, "code": 5, "s": 1, "ol": 2, "ul": 3, "li": 11, "hr": 1, "blockquote": 2}
    counts |= {"pre": 2, "table": 1, "th": 2, "td": 4, "a": 3}
    for tag, count in counts.items():
        assert read(page, "\n\n".join(MARKED), f"element.querySelectorAll('{tag}').length") == count, tag


def test_a_list_begins_at_its_number_and_goes_on(page: Page) -> None:
    assert read(
        page, "3. c\n4. d\n\n5. e\n", "[...element.querySelectorAll('ol')].map((l) => [l.start, l.children.length])"
    ) == [[3, 3]]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_link_leads_to_the_web_or_is_text(page: Page, address: str) -> None:
    for text in (f"[x]({address})", f"[x](<{address}>)", f"<{address}>", f"**[x]({address} 'y')**"):
        assert read(page, text, "element.querySelector('a[href]')?.href ?? null") is None, text


def test_a_safe_link_tells_nothing_to_where_it_leads(page: Page) -> None:
    link = "(({ href, rel, target }) => [href, rel, target])(element.querySelector('a'))"
    assert read(page, "[x](https://a.example/b)", link) == [
        "https://a.example/b",
        "noopener noreferrer nofollow",
        "_blank",
    ]


def test_html_and_images_are_text(page: Page) -> None:
    text = "<img src=x onerror=alert(1)> <script>alert(1)</script> ![alt](http://evil.example/x.png) <b>x</b>"
    assert read(page, text) == text
    assert read(page, f"- {text}\n\n> {text}\n\n{text}\n", "element.querySelectorAll('img, script, b').length") == 0


@pytest.mark.parametrize("text", LARGE, ids=lambda text: text[:8])
def test_whatever_comes_in_one_piece_is_shown_soon(page: Page, text: str) -> None:
    assert read(page, text, "answer.text.length") == len(text)


def test_an_append_costs_no_more_late_in_an_answer(page: Page) -> None:
    paragraph = "A paragraph with **bold text** and `code`, a sentence or two long. " * 3
    text = f"{paragraph}\n\n- item *one*\n- item two\n\n"
    seconds = page.evaluate(
        """(text) => {
          const { answer } = begin();
          const time = () => {
            const begun = performance.now();
            for (const token of text.match(/\\s*\\S{1,5}|\\s+$/g)) answer.append(token);
            return performance.now() - begun;
          };
          return Array.from({ length: 60 }, time);
        }""",
        text,
    )
    assert min(seconds[40:]) < 3 * min(seconds[:20])


def cut_thought(text: str, start: ReasoningStart = "tags") -> list[list[str]]:
    """Each character, with the parts as the page gets them by then."""
    tokens = [Token(0.0, index, None, char, None, special=False) for index, char in enumerate(text, start=1)]
    split = split_tokens(start, tokens, is_complete=True)
    known = accumulate(split, initial=(Part("mark", ""),))
    return [[char, write_parts(parts)] for char, parts in zip(text, islice(known, 1, None), strict=True)]


def test_thoughts_are_folded_and_labelled_however_they_are_cut(page: Page) -> None:
    fold = "(({ open, children }) => [open, ...[...children].map((part) => part.textContent)])"
    pieces = cut_thought(THOUGHT)
    for written in (pieces, [[THOUGHT, pieces[-1][1]]]):
        shown = page.evaluate(f"(pieces) => {fold}(write(pieces).element.querySelector('details'))", written)
        assert shown == [False, "Thinking", "Hm, x.\na\n"]
        answer = page.evaluate("(p) => write(p).element.querySelector('.rendered > p').textContent", written)
        assert answer == "An answer."
    inner_text = "(pieces) => write(pieces).element.innerText"
    assert page.evaluate(inner_text, cut_thought("<think>\n\n</think>\n\nYes.")) == "Yes."
    assert page.evaluate(inner_text, cut_thought("A <think> in a text.")) == "A <think> in a text."
    assert read(page, "<think> of a model that does not reason") == "<think> of a model that does not reason"


def test_a_thought_that_is_being_written_says_so(page: Page) -> None:
    labels = page.evaluate(WATCH, cut_thought(THOUGHT))
    texts = [moment["text"] for moment in labels]
    assert not any("<" in text or "think" in text for text in texts)
    assert any(text.startswith("Thinking …") for text in texts)
    assert texts[-1].startswith("Thinking\n")


def test_raw_is_the_text_as_the_model_wrote_it(page: Page) -> None:
    for text in (*MARKED, THOUGHT):
        assert read(page, text, "(answer.showRaw(true), element.textContent)") == text
        assert read(page, text, "(answer.showRaw(true), answer.showRaw(false), element.querySelector('.raw'))") is None
    seen = (
        "(() => { const { element, answer } = begin(); answer.showRaw(true); answer.append('**a'); return element; })()"
    )
    raw = page.evaluate(f"{seen}.innerText")
    assert raw == "**a"


def test_cleared_it_begins_anew(page: Page) -> None:
    assert read(page, "```\nopen", "(answer.clear(), answer.append('*new*'), [element.textContent, answer.text])") == [
        "new",
        "*new*",
    ]


def test_the_copy_button_copies_the_code_and_is_no_text(page: Page) -> None:
    assert read(page, "```js\nlet a = 1;\n\nlet b;\n```\n", "element.innerText.trim()") == "let a = 1;\n\nlet b;"
    button = page.get_by_role("button", name="Copy")
    button.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "let a = 1;\n\nlet b;"


def test_code_is_copied_on_a_plain_http_page_too(page: Page) -> None:
    read(page, "```\nplain http\n```\n", "null")
    page.evaluate("window.clipboard = navigator.clipboard")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    page.evaluate("delete navigator.clipboard")
    assert page.evaluate("window.clipboard.readText()") == "plain http"


def test_a_paragraph_reads_in_its_own_direction(page: Page) -> None:
    text = "Left to right.\n\nمرحبا **بك** هنا\n\n1. مرحبا\n2. b\n"
    direction = "[...element.querySelector('.rendered').children].map((block) => getComputedStyle(block).direction)"
    assert read(page, text, direction) == ["ltr", "rtl", "rtl"]


def test_long_code_and_wide_tables_do_not_widen_the_answer(page: Page) -> None:
    code, table = f"```\n{'x' * 3000}\n```\n\n", f"|{' wide-cell-without-a-break |' * 60}\n|{'---|' * 60}\n\n"
    wide = f"{code}{table}{'y' * 3000}"
    assert read(page, wide, "document.documentElement.scrollWidth <= innerWidth")


def test_the_library_comes_with_its_license() -> None:
    scripts = [path for path in Path(ASSETS / "vendor").iterdir() if path.suffix == ".js"]
    assert scripts
    assert all("MIT" in path.with_suffix(".LICENSE").read_text("utf-8") for path in scripts)
