// A block of code with a button that copies it. The button's label is drawn by the style sheet: it is no text of the answer.
"use strict";

const SHOWN = 1500; // ms that "Copied" is read

// {node: what to put on the page, text: the node that holds the code}
export function createCode(language) {
  const node = document.createElement("div");
  node.className = "code";
  node.dir = "ltr";
  if (language) node.dataset.language = language;
  const body = document.createElement("pre");
  body.tabIndex = 0;
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", language ? `Code, ${language}` : "Code");
  const text = document.createTextNode("");
  const code = document.createElement("code");
  code.append(text);
  body.append(code);
  node.append(createButton(text), body);
  return { node, text };
}

function createButton(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.setAttribute("aria-label", "Copy");
  button.addEventListener("click", async () => {
    button.setAttribute("aria-label", (await copy(text.data.replace(/\n$/, ""))) ? "Copied" : "Not copied");
    setTimeout(() => button.setAttribute("aria-label", "Copy"), SHOWN);
  });
  return button;
}

// Puts `text` on the clipboard; says whether that was allowed. Plain HTTP pages have no `navigator.clipboard`.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.readOnly = true;
  box.style.cssText = "position: fixed; top: 0; opacity: 0";
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  return done;
}
