// English texts in another language: looked up whole, by a pattern in which `{name}` stands for what differs and `{#name}` for
// a number, or sentence by sentence. Knows no document.

const PLACE = /\{(#?\w+)\}/g;
const NUMBER = "[+−-]?(?:\\d{1,3}(?:,\\d{3})+|\\d+)(?:\\.\\d+)?(?: (?:ms|s)| ?%)?";
const WITHIN_A_SENTENCE = "(?:(?![.!?…] [A-Z]).)+?";
const IS_NUMBER = new RegExp(`^${NUMBER}$`);
const JOINT = " · "; // between parts of a line, which may break before it
const END = /([.!?…]) (?=[A-Z])/g;

// `texts` are translations by their English; `marks` are those of a number: {decimal, group}.
export function createTranslator(texts, marks) {
  const patterns = Object.keys(texts).filter((english) => english.search(PLACE) >= 0).map(createPattern).sort((one, other) => other.weight - one.weight);
  const writeNumber = (text) => text.replace(/[.,]/g, (mark) => (mark === "." ? marks.decimal : marks.group)).replace(/ ?%/, "\u00a0%");

  return function translate(text) {
    if (Object.hasOwn(texts, text)) return texts[text];
    if (IS_NUMBER.test(text)) return writeNumber(text);
    for (const { english, expression } of patterns) {
      const found = expression.exec(text);
      if (found) return texts[english].replace(PLACE, (_, name) => translate(found.groups[name.replace("#", "")]));
    }
    if (text.includes(JOINT)) return text.split(JOINT).map(translate).join(" ·\u00a0");
    const sentences = text.replace(END, "$1\n").split("\n");
    return sentences.length > 1 ? sentences.map(translate).join(" ") : text;
  };
}

// The pattern with the most letters of its own is tried first. A name that comes again stands for the same.
function createPattern(english) {
  const named = new Set();
  const parts = english.split(PLACE).map((part, at) => {
    if (at % 2 === 0) return escape(part);
    const name = part.replace("#", "");
    if (named.has(name)) return `\\k<${name}>`;
    named.add(name);
    return `(?<${name}>${part === name ? WITHIN_A_SENTENCE : NUMBER})`;
  });
  return { english, expression: new RegExp(`^${parts.join("")}$`), weight: english.replace(PLACE, "").length };
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
