// English texts in another language: looked up whole, or by a pattern in which `{name}` stands for what differs.
// Knows no document.

const PLACE = /\{(\w+)\}/g;
const NUMBER = /^[−-]?\d[\d,]*(?:\.\d+)?(?: (?:ms|s)|%)?$/;
const JOINT = " · ";

// `texts` are translations by their English; `marks` are those of a number: {decimal, group}.
export function createTranslator(texts, marks) {
  const patterns = Object.keys(texts).filter((english) => english.search(PLACE) >= 0).map(createPattern).sort((one, other) => other.weight - one.weight);
  const writeNumber = (text) => text.replace(/[.,]/g, (mark) => (mark === "." ? marks.decimal : marks.group));

  return function translate(text) {
    if (Object.hasOwn(texts, text)) return texts[text];
    if (NUMBER.test(text)) return writeNumber(text);
    for (const { english, expression } of patterns) {
      const found = expression.exec(text);
      if (found) return texts[english].replace(PLACE, (_, name) => translate(found.groups[name]));
    }
    return text.includes(JOINT) ? text.split(JOINT).map(translate).join(JOINT) : text;
  };
}

// The pattern with the most letters of its own is tried first.
function createPattern(english) {
  const own = english.split(PLACE).filter((_, at) => at % 2 === 0).map(escape);
  const names = Array.from(english.matchAll(PLACE), ([, name]) => name);
  const source = own.map((part, at) => part + (names[at] ? `(?<${names[at]}>.+?)` : "")).join("");
  return { english, expression: new RegExp(`^${source}$`, "s"), weight: own.join("").length };
}

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
