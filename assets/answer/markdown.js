// An answer that is being written, in one element: rendered as Markdown, or as raw text.

import { element } from "../lesson/shared/dom.js";
import { Blocks } from "./blocks.js";
import { createThinking } from "./thinking.js";

// {append(text, parts), end(), clear(), showRaw(flag), text}
// Way 26: The text is drawn as Markdown; only its last block is parsed again
export function createAnswer(host) {
  const rawText = new Text();
  const raw = element("div", { class: "raw", dir: "auto" }, rawText);
  let rendered;
  let writer;
  let text;
  let isRaw = false;

  const show = () => host.replaceChildren(isRaw ? raw : rendered);
  const clear = () => {
    rendered = element("div", { class: "rendered" });
    writer = new Writer(rendered);
    rawText.data = text = "";
    show();
  };
  clear();
  return {
    get text() { return text; },
    append(piece, parts) {
      text += piece;
      rawText.appendData(piece);
      writer.append(piece, parts);
    },
    end: () => writer.end(),
    clear,
    showRaw(flag) {
      isRaw = flag;
      show();
    },
  };
}

// Writes the model's reasoning and the answer, each in its place.
// `parts` says what is which, as far as it is known, as the server's reasoning parser tells it: "r5;m8;a12;" are five
// units of reasoning, a mark of eight, twelve of the answer. Without parts all is the answer.
class Writer {
  #view;
  #text = ""; // of which it is not yet known what it is
  #known = ""; // the parts so far
  #parts = []; // of #text: [kind, length]
  #thinking = null;
  #answer = null;

  constructor(view) {
    this.#view = view;
  }

  append(text, parts = "") {
    if (!parts) return this.#writeAnswer(text);
    for (const part of parts.slice(this.#known.length).split(";")) if (part) this.#parts.push([part[0], Number(part.slice(1))]);
    this.#known = parts;
    this.#text += text;
    while (this.#text && this.#parts.length) this.#writeNext();
  }

  end() {
    this.#endThinking();
    this.#answer?.end();
  }

  #writeNext() {
    const [kind, length] = this.#parts[0];
    const piece = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    if (piece.length < length) this.#parts[0][1] -= piece.length;
    else this.#parts.shift();
    if (!piece) return;
    if (kind === "r") this.#writeThinking(piece);
    else if (kind === "a") this.#writeAnswer(piece);
    else if (this.#thinking) this.#endThinking();
  }

  #writeThinking(text) {
    this.#thinking ??= createThinking(this.#view);
    this.#thinking.append(text);
  }

  #endThinking() {
    this.#thinking?.end();
    this.#thinking = null;
  }

  #writeAnswer(text) {
    this.#answer ??= new Blocks(this.#view);
    this.#answer.append(text);
  }
}
