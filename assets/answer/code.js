// A code block with a copy button, whose label is drawn by the style sheet, so that it is not part of the answer's text.

import { copyText, element } from "../lesson/shared/dom.js";

const COPIED_MS = 1500; // for which "Copied" is shown

// {node, text}: the element, and the text node of its code
export function createCode(language) {
  const text = new Text();
  const label = language ? `Code, ${language}` : "Code";
  const body = element("pre", { tabindex: 0, role: "region", "aria-label": label }, element("code", {}, text));
  return { node: element("div", { class: "code", dir: "ltr", "data-language": language || null }, createButton(text), body), text };
}

// Its label is translated, in an answer, which is not.
function createButton(text) {
  const button = element("button", { type: "button", class: "copy", translate: "yes", "aria-label": "Copy" });
  button.addEventListener("click", async () => {
    button.setAttribute("aria-label", (await copyText(text.data.replace(/\n$/, ""))) ? "Copied" : "Not copied");
    setTimeout(() => button.setAttribute("aria-label", "Copy"), COPIED_MS);
  });
  return button;
}
