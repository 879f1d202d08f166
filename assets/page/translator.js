// English texts in another language: looked up whole, or by a pattern in which `{name}` stands for what differs.
// Knows no document.

const PLACE = /\{(\w+)\}/g;
const NUMBER = /^[−-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?: (?:ms|s)|%)?$/;
const JOINT = " · "; // between parts of a line; a line may break before it

// `texts` are translations by their English; `marks` are those of a number: {decimal, group}.
export function createTranslator(texts, marks) {
  const patterns = Object.keys(texts).filter((english) => english.search(PLACE) >= 0).map(createPattern).sort((one, other) => other.weight - one.weight);
  const writeNumber = (text) => text.replace(/[.,]/g, (mark) => (mark === "." ? marks.decimal : marks.group)).replace("%", "\u00a0%");

  return function translate(text) {
    if (Object.hasOwn(texts, text)) return texts[text];
    if (NUMBER.test(text)) return writeNumber(text);
    for (const { english, expression } of patterns) {
      const found = expression.exec(text);
      if (found) return texts[english].replace(PLACE, (_, name) => translate(found.groups[name]));
    }
    return text.includes(JOINT) ? text.split(JOINT).map(translate).join(" ·\u00a0") : text;
  };
}

// The pattern with the most letters of its own is tried first. A name that comes again stands for the same.
function createPattern(english) {
  const named = new Set();
  const parts = english.split(PLACE).map((part, at) => {
    if (at % 2 === 0) return escape(part);
    if (named.has(part)) return `\\k<${part}>`;
    named.add(part);
    return `(?<${part}>.+?)`;
  });
  return { english, expression: new RegExp(`^${parts.join("")}$`, "s"), weight: english.replace(PLACE, "").length };
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
