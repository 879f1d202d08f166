// Markdown to tokens, by marked. Only the block that is still being written is parsed, so its end may be incomplete.
"use strict";

import { Lexer, Tokenizer } from "../vendor/marked-18.2.1.js";
import { heal } from "./heal.js";

// What a model writes is no document of its author's: HTML, images, link definitions, indented code and underlined
// headings stay the text that they are.
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

// The tokens of `source`. While it is `live`, marks that are open at its end count as closed there.
export function parse(source, live) {
  const lexer = new Lexer({ gfm: true, breaks: false, tokenizer: new AnswerTokenizer() });
  const tokens = lexer.blockTokens(source, lexer.tokens);
  const leaf = live ? findLastLeaf(tokens) : null;
  for (const part of lexer.inlineQueue) {
    part.tokens.push(...(part.tokens === leaf ? readLive(lexer, part.src) : lexer.inlineTokens(part.src)));
  }
  return tokens;
}

// The inline tokens of text that is being written: healed, unless a mark that closes would itself be seen.
function readLive(lexer, source) {
  const { shown, healed } = heal(source);
  const tokens = lexer.inlineTokens(healed);
  return healed === shown || isWithin(readText(tokens), shown) ? tokens : lexer.inlineTokens(shown);
}

const readText = (tokens) => tokens.map((token) => (token.tokens ? readText(token.tokens) : token.text ?? "")).join("");

// Whether all characters of `text`, but for spaces, stand in `source` in their order.
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
