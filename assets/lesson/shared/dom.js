// Elements, tables, the clipboard, and controls with one run at a time.

// An element; `attributes` may hold `class`, `data-…`, `aria-…` and on… listeners, children are nodes or text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// The nodes of markup that is our own: nobody else's text may be in it.
export const parseMarkup = (markup) => [...new DOMParser().parseFromString(markup, "text/html").body.childNodes];

// Shows a table in `host`: `columns` are names, `rows` arrays of text or nodes. When it is filled again, scroll position and focus stay.
export function fillTable(host, caption, columns, rows) {
  const cells = (kind, row) => row.map((cell) => (
    kind === "th" && cell !== "" ? element("th", { scope: "col" }, String(cell)) : element("td", {}, cell instanceof Node ? cell : String(cell))));
  const body = rows.map((row) => element("tr", {}, ...cells("td", row)));
  const region = host.querySelector(":scope > .scroll") ?? element("div", { class: "scroll", tabindex: "0", role: "region" });
  region.setAttribute("aria-label", caption);
  region.replaceChildren(element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...cells("th", columns))),
    element("tbody", {}, ...body)));
  if (region.parentElement !== host) host.replaceChildren(region);
}

// Makes a change to `host`, whose end stays in sight unless the user has scrolled up.
export function keepEndInSight(host, change) {
  const isAtEnd = host.scrollHeight - host.scrollTop - host.clientHeight < 40;
  change();
  if (isAtEnd) host.scrollTop = host.scrollHeight;
}

// Calls `update` now, and when Gradio's `watch` notices another value.
export function follow(watch, update) {
  update();
  watch("value", update);
}

// Shows the value of a range input in `output`.
export function bindOutput(input, output) {
  const show = () => { output.textContent = input.value; };
  input.addEventListener("input", show);
  show();
}

// One run at a time: buttons begin and stop `work(signal)`, and what it throws is shown in the status line.
export function bindRun({ begin, stop, status }, work) {
  let control = null;
  stop.disabled = true;
  begin.addEventListener("click", async () => {
    if (control) return;
    control = new AbortController();
    begin.disabled = true;
    stop.disabled = false;
    status.classList.remove("wrong");
    try {
      await work(control.signal);
    } catch (error) {
      status.textContent = control.signal.aborted ? "Stopped." : describeError(error);
      status.classList.toggle("wrong", !control.signal.aborted);
    } finally {
      control = null;
      begin.disabled = false;
      stop.disabled = true;
    }
  });
  stop.addEventListener("click", () => control?.abort());
}

export function describeError(error) {
  if (error instanceof TypeError) return "The server can't be reached: is it still running?";
  return error.message;
}

// Copies `text` to the clipboard; returns whether that was allowed. Plain HTTP pages have no `navigator.clipboard`.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const box = element("textarea", { readonly: true });
  box.value = text;
  box.style.cssText = "position: fixed; top: 0; opacity: 0";
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

export async function copy(text, button, copied = "Copied") {
  const label = button.textContent;
  button.textContent = (await copyText(text)) ? copied : "Select and copy";
  setTimeout(() => { button.textContent = label; }, 1500);
}

export function download(name, content, type) {
  const url = content.startsWith?.("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  if (!content.startsWith?.("data:")) setTimeout(() => URL.revokeObjectURL(url), 1000);
}
