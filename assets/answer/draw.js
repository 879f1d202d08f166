// Renders tokens incrementally: elements are kept and grow, and only what differs is replaced. Text is never markup.

import { element } from "../lesson/shared/dom.js";
import { createCode } from "./code.js";
import { PENDING } from "./close_marks.js";

const PROTOCOLS = ["http:", "https:", "mailto:"];
const GAP = /\n[ \t\n]*$/;

// Updates the end of `host`, which `records` describe, to `tokens`; returns the new records. A block at the `top` has its text's
// own direction, and its content inherits that.
export function draw(host, records, tokens, top = false) {
  let kept = 0;
  while (kept < records.length && kept < tokens.length && refresh(records[kept], tokens[kept], kept === tokens.length - 1)) kept += 1;
  for (const record of records.splice(kept)) remove(record);
  for (let index = kept; index < tokens.length; index += 1) {
    const record = build(host, tokens[index], index === tokens.length - 1);
    if (top && record.node.nodeType === Node.ELEMENT_NODE) record.node.dir ||= "auto";
    records.push(record);
  }
  return records;
}

// A list that an earlier block began stays, without these items.
function remove({ node, gap, children, adopted }) {
  if (adopted) draw(node, children, []);
  else node.remove();
  gap.remove();
}

function build(host, token, last) {
  const shape = describe(token);
  const record = { key: shape.key, raw: null, last, children: [], gap: new Text(), ...create(shape) };
  host.append(record.node, record.gap);
  fill(record, token, shape);
  return record;
}

// Whether `record` could be updated to `token`. The last token may have been rendered as if it were complete.
function refresh(record, token, last) {
  if (record.raw === token.raw && token.raw !== undefined && !record.last && !last) return true;
  const shape = describe(token);
  if (record.key !== shape.key) return false;
  record.last = last;
  fill(record, token, shape);
  return true;
}

function fill(record, token, shape) {
  record.raw = token.raw;
  write(record.gap, shape.gap ?? "");
  if (shape.text !== undefined) write(record.text, shape.text);
  if (shape.href) record.node.href = shape.href;
  if (shape.kids) draw(record.inner, record.children, shape.kids);
}

// Growing text is appended to, so that a selection in it stays.
function write(node, text) {
  if (text === node.data) return;
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

function create({ tag, text, language, attributes = {}, align, frame }) {
  if (tag === "code-block") return createCode(language);
  if (!tag) {
    const node = new Text();
    return { node, text: node };
  }
  const node = element(tag, attributes);
  if (align) node.style.textAlign = align; // a style attribute would break a strict Content-Security-Policy
  // A table scrolls sideways rather than widen the answer.
  if (frame) return { node: element("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Table" }, node), inner: node };
  if (text === undefined) return { node, inner: node };
  return { node, text: node.appendChild(new Text()) };
}

// --- the element of each kind of token --------------------------------------------------------------------------------

const INLINE = { strong: "strong", em: "em", del: "s" };

function describe(token) {
  const shape = token.tokens || BLOCKS[token.type] ? describeElement(token) : { text: describeText(token) };
  if (token.type === "codespan") shape.tag = "code";
  const { tag = "", language = "", align } = shape;
  const type = token.type === "text" ? "paragraph" : token.type;
  return { ...shape, key: `${type} ${tag} ${language} ${align ?? ""}` };
}

const describeText = ({ type, text, raw, checked }) => {
  if (type === "br") return "\n";
  if (type === "checkbox") return checked ? "☑ " : "☐ ";
  return text ?? raw;
};

const BLOCKS = {
  paragraph: ({ tokens }) => ({ tag: "p", kids: tokens }),
  heading: ({ tokens, depth }) => ({ tag: `h${Math.min(depth + 2, 6)}`, kids: tokens }),
  blockquote: ({ tokens }) => ({ tag: "blockquote", kids: tokens }),
  list: ({ items, ordered, start }) => ({
    tag: ordered ? "ol" : "ul",
    attributes: ordered && start !== 1 ? { start } : {},
    kids: items.map((item, index) => (index < items.length - 1 ? { ...item, raw: `${item.raw}\n` } : item)),
  }),
  list_item: ({ tokens }) => ({ tag: "li", kids: joinCheckbox(tokens) }),
  code: ({ lang, text }) => ({ tag: "code-block", language: lang, text }),
  hr: () => ({ tag: "hr" }),
  space: () => ({ text: "" }),
  table: ({ header, rows }) => ({ tag: "table", frame: true, kids: [{ type: "table_head", rows: [header] }, { type: "table_body", rows }] }),
  table_head: ({ rows }) => ({ tag: "thead", kids: rows.map(describeRow) }),
  table_body: ({ rows }) => ({ tag: "tbody", kids: rows.map(describeRow) }),
  table_row: ({ cells }) => ({ tag: "tr", kids: cells.map((cell) => ({ ...cell, type: "table_cell" })) }),
  table_cell: ({ tokens, header, align }) => ({ tag: header ? "th" : "td", align, kids: tokens }),
};

const describeRow = (cells) => ({ type: "table_row", cells, raw: cells.map(({ text }) => text).join("|") });

// A task's checkbox is on the line of its text.
function joinCheckbox([box, text, ...rest]) {
  if (box?.type !== "checkbox" || !text?.tokens) return [box, text, ...rest].filter(Boolean);
  return [{ ...text, tokens: [box, ...text.tokens] }, ...rest];
}

function describeElement(token) {
  if (token.type === "link") return describeLink(token);
  if (INLINE[token.type]) return { tag: INLINE[token.type], kids: token.tokens };
  const shape = BLOCKS[token.type === "text" ? "paragraph" : token.type](token);
  return { ...shape, gap: GAP.exec(token.raw ?? "")?.[0] };
}

// A link with a safe address; any other is shown as its source.
function describeLink({ href, tokens, raw }) {
  const address = href === PENDING ? "" : findAddress(href);
  if (address === null) return { text: raw };
  return { tag: "a", attributes: { rel: "noopener noreferrer nofollow", target: "_blank" }, href: address, kids: tokens };
}

function findAddress(href) {
  try {
    const { protocol, href: address } = new URL(href);
    return PROTOCOLS.includes(protocol) ? address : null;
  } catch {
    return null;
  }
}
