// The teaching material: a sheet at a time, to be read here or printed alone; the quiz can be answered here.

import { language, loaded } from "../../page/language.js";
import { marked } from "../../vendor/marked-18.2.1.js";
import { element, parseMarkup } from "../shared/dom.js";
import { listQuestions, mountQuiz } from "./quiz.js";

const DEPTH = 3; // the station's heading

export async function mount(root) {
  const [{ default: material }] = await Promise.all([import(`../../teach/${language}.js`), loaded]);
  const sheet = root.querySelector("#teach-sheet");
  const tabs = [...root.querySelectorAll("[role=tab]")];
  let shown = null;

  function show(tab) {
    shown = tab.id.replace("teach-", "");
    for (const each of tabs) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
    }
    sheet.setAttribute("aria-labelledby", tab.id);
    if (shown === "quiz") mountQuiz(sheet, material.quiz);
    else sheet.replaceChildren(render(material[shown], DEPTH));
  }

  root.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs.at((tabs.findIndex(({ id }) => id === `teach-${shown}`) + step) % tabs.length);
    next.focus();
    show(next);
  });
  for (const tab of tabs) tab.addEventListener("click", () => show(tab));
  root.querySelector("#teach-print").addEventListener("click", () => {
    print(shown === "quiz" ? listQuestions(material.quiz) : [render(material[shown])]);
  });
  show(tabs[0]);
}

// Our own Markdown, in the page's language; its headings are `deeper` than in the text.
function render(text, deeper = 0) {
  const markup = marked.parse(text, { walkTokens(token) { if (token.type === "heading") token.depth += deeper; } });
  const host = element("div", { translate: "no" }, ...parseMarkup(markup));
  for (const table of host.querySelectorAll("table")) {
    const frame = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": findHeading(table) });
    table.replaceWith(frame);
    frame.append(table);
  }
  return host;
}

function findHeading(node) {
  for (let before = node; before; before = before.previousElementSibling) if (/^H\d$/.test(before.tagName)) return before.textContent;
  return "";
}

// Prints these nodes and nothing else of the page.
function print(nodes) {
  document.getElementById("printed")?.remove();
  const printed = element("div", { id: "printed", class: "sheet" }, ...nodes);
  document.body.append(printed);
  addEventListener("afterprint", () => printed.remove(), { once: true });
  window.print();
}
