// An answer that is being written, in one element: rendered as Markdown, or as raw text.

import { Blocks } from "./blocks.js";
import { createThinking } from "./thinking.js";

const OPENING = "<think>";
const CLOSING = "</think>";

// {append(text), end(), clear(), showRaw(flag), text}
// Way 26: The text is drawn as Markdown; only its last block is parsed again
export function createAnswer(element) {
  const raw = createView("raw");
  const rawText = raw.appendChild(document.createTextNode(""));
  raw.dir = "auto";
  let rendered;
  let writer;
  let text;
  let isRaw = false;

  const show = () => element.replaceChildren(isRaw ? raw : rendered);
  const clear = () => {
    rendered = createView("rendered");
    writer = new Writer(rendered);
    rawText.data = text = "";
    show();
  };
  clear();
  return {
    get text() { return text; },
    append(piece) {
      text += piece;
      rawText.appendData(piece);
      writer.append(piece);
    },
    end: () => writer.end(),
    clear,
    showRaw(flag) {
      isRaw = flag;
      show();
    },
  };
}

function createView(name) {
  const view = document.createElement("div");
  view.className = name;
  return view;
}

// Splits an answer into the model's thinking and the answer itself.
class Writer {
  #view;
  #buffer = ""; // a possible beginning of a tag
  #thinking = null;
  #answer = null;

  constructor(view) {
    this.#view = view;
  }

  append(text) {
    if (this.#answer) return this.#answer.append(text);
    this.#buffer += text;
    return this.#thinking ? this.#think() : this.#begin();
  }

  end() {
    if (this.#thinking) this.#thinking.append(this.#buffer);
    else this.#startAnswer(this.#buffer);
    this.#buffer = "";
    this.#thinking?.end();
    this.#answer?.end();
  }

  #begin() {
    const start = this.#buffer.trimStart();
    if (start.startsWith(OPENING)) {
      this.#thinking = createThinking(this.#view);
      this.#buffer = start.slice(OPENING.length);
      this.#think();
    } else if (!OPENING.startsWith(start)) this.#startAnswer();
  }

  #think() {
    const end = this.#buffer.indexOf(CLOSING);
    if (end < 0) {
      const kept = measureOverlap(this.#buffer, CLOSING);
      this.#thinking.append(this.#buffer.slice(0, this.#buffer.length - kept));
      this.#buffer = this.#buffer.slice(this.#buffer.length - kept);
      return;
    }
    this.#thinking.append(this.#buffer.slice(0, end));
    this.#thinking.end();
    this.#thinking = null;
    this.#buffer = this.#buffer.slice(end + CLOSING.length);
    this.#startAnswer();
  }

  #startAnswer() {
    const text = this.#buffer;
    this.#buffer = "";
    this.#answer ??= new Blocks(this.#view);
    this.#answer.append(text);
  }
}

// How many characters at the end of `text` are a beginning of `tag`.
function measureOverlap(text, tag) {
  let length = Math.min(text.length, tag.length - 1);
  while (!tag.startsWith(text.slice(text.length - length))) length -= 1;
  return length;
}
