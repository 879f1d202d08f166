// An answer's blocks: only the last is open, and only it is parsed again when text arrives. The result depends on the text so
// far, never on how it was cut into pieces.

import { createCode } from "./code.js";
import { draw } from "./draw.js";
import { parse } from "./parse.js";

const MAX_PREFIX = 200; // characters of a line within which its kind is decided
// Limits of one block, whose parsing time grows with them: the rest becomes another block.
const MAX_LENGTH = 32_768;
const MAX_MARKS = 400;
const MARKS = "*_~`[]>";
// The beginning of a line that would nest twenty quotes and lists: it is shown as text.
const TOO_DEEP = /^\s*(?:(?:>|[-*+](?=\s)|\d{1,9}(?=[.)]\s))[.)]?\s*){20}/;
const BLANK = /^\s*$/;
// The beginning of a line that may still become a mark: it is not shown yet.
const UNDECIDED = /^(?:[\s>]|[-*+]\s|\d{1,9}[.)]\s)*(?:#{1,6}|[-*_+][-*_ \t]*|\d{1,9}[.)]?|`{1,2}|~{1,2}|`{3,}[^`]*|~{3,}.*|\[(?:[ xX]\]?)?)?$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const HEADING = /^ {0,3}#{1,6}(?:\s|$)/;
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})[ \t]*(\S*)/;
const ITEM = /^ {0,3}(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+(?=\S)|\s*$)/;
const TABLE_HEAD = /^ {0,3}\|[^\n]*(?:\n[|: \t-]*)?$/;

const isList = (segment) => ITEM.test(firstLine(segment)) && !RULE.test(firstLine(segment));
const isOrdered = (segment) => ITEM.exec(firstLine(segment))[1] !== undefined;
const firstLine = (segment) => segment.slice(0, (segment.indexOf("\n") + 1 || segment.length + 1) - 1);

// Whether `line` begins a block of its own below `segment`.
function begins(line, segment) {
  const first = firstLine(segment);
  if (segment.includes("\n") && (HEADING.test(first) || RULE.test(first))) return true;
  if (/^\s/.test(line)) return false;
  if (/\n[ \t]*\n$/.test(segment)) return true;
  if (line[0] === ">" || line[0] === "|") return first[0] !== line[0];
  if (HEADING.test(line) || RULE.test(line) || FENCE.test(line)) return true;
  const item = ITEM.exec(line);
  if (!item) return false;
  return isList(segment) || (/\S$/.test(item.input.slice(0, item[0].length + 1)) && !(item[1] > 1));
}

// Writes Markdown into `host` as it comes.
export class Blocks {
  #host;
  #line = ""; // the current line, until its kind is decided
  #decided = false; // whether the current line has joined a block
  #segment = ""; // the source of the open block
  #marks = 0; // marks in it
  #records = []; // its rendered nodes
  #code = null; // the open code block

  constructor(host) {
    this.#host = host;
  }

  append(text) {
    const lines = text.replaceAll("\r", "").split("\n");
    const last = lines.pop();
    for (const line of lines) this.#appendLine(`${line}\n`);
    this.#appendLine(last);
    this.#render(true);
  }

  // The answer is complete: what is undecided is text.
  end() {
    if (this.#line) this.#decideKind();
    this.#closeBlock();
  }

  #appendLine(text) {
    if (!text) return;
    if (this.#decided) this.#extend(text);
    else {
      this.#line += text;
      if (this.#code ? text.endsWith("\n") : this.#isDecided()) this.#decideKind();
    }
    if (text.endsWith("\n")) this.#decided = false;
  }

  #isDecided() {
    return this.#line.endsWith("\n") || this.#line.length > MAX_PREFIX || !UNDECIDED.test(this.#line);
  }

  // Adds the line to the open block, or begins another.
  #decideKind() {
    const text = this.#line;
    this.#line = "";
    this.#decided = true;
    if (this.#code) this.#writeCode(text);
    else if (TOO_DEEP.test(text) && !(text.length <= MAX_PREFIX && RULE.test(text.trimEnd()))) this.#extend(text.replace(/[^\s\d]/, "\\$&"));
    else if (text.length <= MAX_PREFIX) this.#startLine(text, FENCE.exec(text.replace(/\n$/, "")));
    else {
      this.#startLine(text.slice(0, MAX_PREFIX), null);
      this.#extend(text.slice(MAX_PREFIX));
    }
  }

  #startLine(text, fence) {
    const segment = this.#segment;
    if (segment && begins(text.replace(/\n$/, ""), segment)) this.#startBlock(text);
    if (BLANK.test(text) && !this.#segment) return this.#host.append(text);
    if (fence && !(isList(this.#segment) && fence[1].length > 1)) return this.#openCode(fence);
    return this.#extend(text);
  }

  #extend(text) {
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      if (MARKS.includes(text[at])) this.#marks += 1;
      if (this.#marks < MAX_MARKS && this.#segment.length + at - from < MAX_LENGTH) continue;
      this.#segment += text.slice(from, at + 1);
      from = at + 1;
      this.#closeBlock();
    }
    this.#segment += text.slice(from);
  }

  // A list's next item joins the same list.
  #startBlock(line) {
    const segment = this.#segment;
    const [list, ...rest] = this.#closeBlock();
    if (!isList(segment) || !isList(line) || isOrdered(line) !== isOrdered(segment)) return;
    if (!list?.node.matches?.("ol, ul") || rest.some(({ node }) => node.nodeType !== Node.TEXT_NODE)) return;
    while (list.node.nextSibling) list.node.append(list.node.nextSibling);
    this.#records = [{ ...list, raw: null, children: [], gap: this.#host.appendChild(new Text()), adopted: true }];
  }

  #render(live) {
    if (this.#code) return this.#showCode(live);
    if (live && TABLE_HEAD.test(this.#segment)) return draw(this.#host, this.#records, [], true);
    return draw(this.#host, this.#records, this.#segment ? parse(this.#segment, live) : [], true);
  }

  // Renders the open block for the last time; returns its records.
  #closeBlock() {
    this.#render(false);
    const records = this.#records;
    this.#records = [];
    this.#segment = "";
    this.#marks = 0;
    this.#code = null;
    return records;
  }

  // --- code blocks: lines are appended, not parsed ---------------------------------------------------------------------

  #openCode([, indent, marks, language]) {
    if (this.#segment) this.#closeBlock();
    const { node, text } = createCode(language);
    this.#host.append(node);
    this.#code = { indent: indent.length, marks, text, written: 0 };
  }

  #writeCode(text) {
    const code = this.#code;
    if (this.#closesCode(text)) {
      this.#closeBlock();
      this.#host.append("\n");
      return;
    }
    const line = this.#strip(text);
    code.text.replaceData(code.written, code.text.length, line);
    code.written += line.length;
  }

  // Shows the current line unless it may still close the code block.
  #showCode(live) {
    const { text, written, marks } = this.#code;
    const closing = new RegExp(`^\\s*${marks[0]}*\\s*$`);
    const line = live && closing.test(this.#line) ? "" : this.#strip(this.#line);
    text.replaceData(written, text.length, line);
  }

  #closesCode(text) {
    const { marks } = this.#code;
    const run = text.trim();
    return run.length >= marks.length && run === marks[0].repeat(run.length) && /^ {0,3}\S/.test(text);
  }

  #strip(line) {
    return line.slice(Math.min(this.#code.indent, line.search(/[^ ]|$/)));
  }
}
