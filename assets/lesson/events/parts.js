// Syntax highlighting of an event: spans that together hold exactly its raw text.

import { element } from "../shared/dom.js";

const PIECES = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[^]/g;
const ENDS = new Set(["generated_text", "details", "finish_reason", "usage"]);
const TEXTS = new Set(["text", "content", "token"]); // `token` is an object in native events, a text in a chat's logprobs
const PARTS = { index: "index", logprob: "logprob", error: "error", error_type: "error" };

// Nodes for one event without the empty line that ends it.
export function highlight(raw) {
  if (raw.startsWith(":")) return [span("comment", raw)];
  const [field, payload] = raw.startsWith("data: ") ? ["data:", raw.slice("data:".length)] : ["", raw];
  if (payload === " [DONE]") return [span("field", field), span("end", payload)];
  return [span("field", field), ...highlightJson(payload)];
}

function span(part, text) {
  return element("span", part ? { class: `part-${part}` } : {}, text);
}

// `enclosing` is a stack of the open objects and arrays: the key that each belongs to, and its part.
function highlightJson(payload) {
  const pieces = payload.match(PIECES) ?? [];
  const enclosing = [];
  const nodes = [];
  let key = null;
  pieces.forEach((piece, place) => {
    if (piece.startsWith('"') && pieces[place + 1] === ":") key = JSON.parse(piece);
    const within = enclosing.at(-1);
    const part = within?.part === "end" ? "end" : findPart(key, within?.key, valueOf(pieces, place));
    if (piece === "}" || piece === "]") {
      enclosing.pop();
      key = null;
    }
    const bare = /^[,:{}[\]]$/.test(piece) && within?.part !== "end";
    nodes.push(span(bare ? null : part, piece));
    if (piece === "{" || piece === "[") enclosing.push({ key: key ?? within?.key, part });
    if (piece === "{" || piece === ",") key = null;
  });
  return nodes;
}

// The value that belongs to the key, colon or value at `place`.
function valueOf(pieces, place) {
  if (pieces[place + 1] === ":") return pieces[place + 2];
  return pieces[place] === ":" ? pieces[place + 1] : pieces[place];
}

function findPart(key, parent, value) {
  if (ENDS.has(key)) return value === "null" ? null : "end";
  if (key === "id") return parent === "token" || parent === "top_tokens" ? "id" : null;
  if (TEXTS.has(key)) return value?.startsWith('"') ? "text" : null;
  return PARTS[key] ?? null;
}
