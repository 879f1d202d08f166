// Markdown to tokens, by marked. The end of the block that is being written may be incomplete.

import { Lexer, Tokenizer } from "../vendor/marked-18.2.1.js";
import { closeMarks } from "./close_marks.js";

// HTML, images, link definitions, indented code and underlined headings are shown as text.
class AnswerTokenizer extends Tokenizer {
  html() {}
  tag() {}
  def() {}
  code() {}
  lheading() {}

  link(source) {
    const token = super.link(source);
    return token?.type === "image" ? { type: "text", raw: token.raw, text: token.raw } : token;
  }

  del(source, ...rest) {
    return source.startsWith("~~") ? super.del(source, ...rest) : undefined;
  }
}

// The tokens of `source`. While it is `live`, open marks count as closed at its end.
export function parse(source, live) {
  const lexer = new Lexer({ gfm: true, breaks: false, tokenizer: new AnswerTokenizer() });
  const tokens = lexer.blockTokens(source, lexer.tokens);
  const leaf = live ? findLastLeaf(tokens) : null;
  for (const part of lexer.inlineQueue) {
    part.tokens.push(...(part.tokens === leaf ? readLive(lexer, part.src) : lexer.inlineTokens(part.src)));
  }
  return tokens;
}

// The inline tokens of text that is being written, with its marks closed, unless a closing mark would itself be visible.
function readLive(lexer, source) {
  const { shown, closed } = closeMarks(source);
  const tokens = lexer.inlineTokens(closed);
  return closed === shown || isWithin(readText(tokens), shown) ? tokens : lexer.inlineTokens(shown);
}

const readText = (tokens) => tokens.map((token) => (token.tokens ? readText(token.tokens) : token.text ?? "")).join("");

// Whether `source` has all characters of `text`, except spaces, in order.
function isWithin(text, source) {
  let at = 0;
  for (const char of text.replace(/\s/g, "")) {
    at = source.indexOf(char, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

// The inline tokens that the next character belongs to.
function findLastLeaf(tokens) {
  const token = tokens.at(-1);
  switch (token?.type) {
    case "list": return findLastLeaf(token.items.at(-1).tokens);
    case "blockquote": return findLastLeaf(token.tokens);
    case "table": return (token.rows.at(-1) ?? token.header).findLast((cell) => cell.text)?.tokens;
    default: return token?.tokens;
  }
}
