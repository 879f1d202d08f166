// An answer's blocks, one after the other: only the last is open, and only it is parsed when text comes.
// What is shown depends on the text so far, never on how it was cut: whatever is decided is decided at a character.
"use strict";

import { createCode } from "./code.js";
import { draw } from "./draw.js";
import { parse } from "./parse.js";

const REACH = 200; // characters of a line in which its kind must show
// Characters and marks of one block: a longer one goes on as another, for the time to parse it grows with them.
const MOST = 32_768;
const MOST_MARKS = 400;
const MARKS = "*_~`[]>";
// The beginning of a line that would open twenty quotes and lists inside each other: it is text.
const TOO_DEEP = /^\s*(?:(?:>|[-*+](?=\s)|\d{1,9}(?=[.)]\s))[.)]?\s*){20}/;
const BLANK = /^\s*$/;
// The beginning of a line that may yet become a mark: nothing of it is shown.
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
  #line = ""; // of the line being written, what is not decided yet
  #decided = false; // whether that line has joined a segment
  #segment = ""; // the source of the open block
  #marks = 0; // how many stand in it
  #records = []; // what is drawn of it
  #code = null; // the open fence, where there is one

  constructor(host) {
    this.#host = host;
  }

  append(text) {
    const lines = text.replaceAll("\r", "").split("\n");
    const last = lines.pop();
    for (const line of lines) this.#take(`${line}\n`);
    this.#take(last);
    this.#draw(true);
  }

  // The answer is complete: what was held back is text.
  end() {
    if (this.#line) this.#settle();
    this.#close();
  }

  #take(text) {
    if (!text) return;
    if (this.#decided) this.#grow(text);
    else {
      this.#line += text;
      if (this.#code ? text.endsWith("\n") : this.#isDecided()) this.#settle();
    }
    if (text.endsWith("\n")) this.#decided = false;
  }

  #isDecided() {
    return this.#line.endsWith("\n") || this.#line.length > REACH || !UNDECIDED.test(this.#line);
  }

  // The kind of the line is known: it goes on with the open block, or begins another.
  #settle() {
    const text = this.#line;
    this.#line = "";
    this.#decided = true;
    if (this.#code) this.#writeCode(text);
    else if (TOO_DEEP.test(text) && !(text.length <= REACH && RULE.test(text.trimEnd()))) this.#grow(text.replace(/[^\s\d]/, "\\$&"));
    else if (text.length <= REACH) this.#place(text, FENCE.exec(text.replace(/\n$/, "")));
    else {
      this.#place(text.slice(0, REACH), null);
      this.#grow(text.slice(REACH));
    }
  }

  #place(text, fence) {
    const segment = this.#segment;
    if (segment && begins(text.replace(/\n$/, ""), segment)) this.#begin(text);
    if (BLANK.test(text) && !this.#segment) return this.#host.append(text);
    if (fence && !(isList(this.#segment) && fence[1].length > 1)) return this.#openCode(fence);
    return this.#grow(text);
  }

  #grow(text) {
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      if (MARKS.includes(text[at])) this.#marks += 1;
      if (this.#marks < MOST_MARKS && this.#segment.length + at - from < MOST) continue;
      this.#segment += text.slice(from, at + 1);
      from = at + 1;
      this.#close();
    }
    this.#segment += text.slice(from);
  }

  // A list's next item goes into the list that is there.
  #begin(line) {
    const segment = this.#segment;
    const [list, ...rest] = this.#close();
    if (!isList(segment) || !isList(line) || isOrdered(line) !== isOrdered(segment)) return;
    if (!list?.node.matches?.("ol, ul") || rest.some(({ node }) => node.nodeType !== Node.TEXT_NODE)) return;
    while (list.node.nextSibling) list.node.append(list.node.nextSibling);
    this.#records = [{ ...list, raw: null, children: [], gap: this.#host.appendChild(new Text()), adopted: true }];
  }

  #draw(live) {
    if (this.#code) return this.#showCode(live);
    if (live && TABLE_HEAD.test(this.#segment)) return draw(this.#host, this.#records, [], true);
    return draw(this.#host, this.#records, this.#segment ? parse(this.#segment, live) : [], true);
  }

  // Draws the open block for the last time; returns its records.
  #close() {
    this.#draw(false);
    const records = this.#records;
    this.#records = [];
    this.#segment = "";
    this.#marks = 0;
    this.#code = null;
    return records;
  }

  // --- a fence: its lines are appended, never parsed ------------------------------------------------------------------

  #openCode([, indent, marks, language]) {
    if (this.#segment) this.#close();
    const { node, text } = createCode(language);
    this.#host.append(node);
    this.#code = { indent: indent.length, marks, text, written: 0 };
  }

  #takeCode(text) {
    this.#line += text;
    if (!text.endsWith("\n")) return;
    this.#settle();
    this.#decided = false;
  }

  #writeCode(text) {
    const code = this.#code;
    if (this.#closesCode(text)) {
      this.#close();
      this.#host.append("\n");
      return;
    }
    const line = this.#strip(text);
    code.text.replaceData(code.written, code.text.length, line);
    code.written += line.length;
  }

  // The line being written, unless it may yet close the fence.
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
