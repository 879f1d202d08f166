// A code block with a copy button, whose label is drawn by the style sheet, so that it is not part of the answer's text.

const COPIED_MS = 1500; // for which "Copied" is shown

// {node, text}: the element, and the text node of its code
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
  button.translate = true; // in an answer, which is not
  button.setAttribute("aria-label", "Copy");
  button.addEventListener("click", async () => {
    button.setAttribute("aria-label", (await copy(text.data.replace(/\n$/, ""))) ? "Copied" : "Not copied");
    setTimeout(() => button.setAttribute("aria-label", "Copy"), COPIED_MS);
  });
  return button;
}

// Copies `text` to the clipboard; returns whether that was allowed. Plain HTTP pages have no `navigator.clipboard`.
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
