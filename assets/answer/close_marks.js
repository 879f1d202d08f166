// Closes emphasis, code and links that are still being written, so that no mark is visible as text.

export const PENDING = "pending:"; // the address of a link whose address is still being written

const SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const ADDRESS = /(?:https?:\/\/|www\.)[^\s<]*/y;
const TARGET = /\]\([^)\n]*/y;

// {shown: `source` without marks at its very end, whose meaning the next character decides; closed: the same with all marks closed}
export function closeMarks(source) {
  const open = [];
  let brackets = 0;
  let at = 0;
  while (at < source.length) {
    const char = source[at];
    if (char === "\\") {
      if (at + 1 === source.length) return close(source.slice(0, at), open);
      at += 2;
    } else if (char === "`") {
      const length = measureRun(source, at);
      const end = findCodeEnd(source, at + length, length);
      if (end < 0) return closeCode(source, at + length, length, open);
      at = end;
    } else if (char === "*" || char === "_" || char === "~") {
      const length = measureRun(source, at);
      if (at + length === source.length) return close(source.slice(0, at), open);
      applyRun(open, source, at, length);
      at += length;
    } else if (char === "]" && brackets > 0) {
      const target = match(TARGET, source, at);
      if (target && at + target.length === source.length) return closeLink(source, at, open);
      brackets -= 1;
      at += target.length || 1;
    } else {
      if (char === "[") brackets += 1;
      at += match(ADDRESS, source, at).length || 1;
    }
  }
  return close(source, open);
}

function match(pattern, source, at) {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? "";
}

function measureRun(source, at) {
  let end = at;
  while (source[end] === source[at]) end += 1;
  return end - at;
}

function findCodeEnd(source, from, length) {
  for (let at = source.indexOf("`", from); at >= 0; at = source.indexOf("`", at)) {
    const run = measureRun(source, at);
    at += run;
    if (run === length) return at;
  }
  return -1;
}

// CommonMark's delimiter runs: closes earlier runs where possible, else may open one.
function applyRun(open, source, at, length) {
  const char = source[at];
  const { opens, closes } = classifyRun(char, source.slice(0, at).at(-1) ?? "", source.slice(at + length));
  let left = length;
  if (char === "~" && length !== 2) return;
  while (closes && left > 0) {
    const index = open.findLastIndex((run) => run.char === char && !isOdd(run, opens, length));
    if (index < 0) break;
    const run = open[index];
    const taken = Math.min(run.left >= 2 && left >= 2 ? 2 : 1, run.left, left);
    run.left -= taken;
    left -= taken;
    open.length = run.left ? index + 1 : index;
  }
  if (opens && left > 0) open.push({ char, left, length, both: closes });
}

// CommonMark's rule of three: runs that can both open and close, whose lengths add up to a multiple of three, do not match.
function isOdd(run, opens, length) {
  return (run.both || opens) && (run.length + length) % 3 === 0 && (run.length % 3 !== 0 || length % 3 !== 0);
}

function classifyRun(char, before, rest) {
  const after = String.fromCodePoint(rest.codePointAt(0));
  const spaceBefore = SPACE.test(before);
  const spaceAfter = SPACE.test(after);
  const markBefore = PUNCTUATION.test(before);
  const markAfter = PUNCTUATION.test(after);
  const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
  const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
  if (char !== "_") return { opens: left, closes: right };
  return { opens: left && (!right || markBefore), closes: right && (!left || markAfter) };
}

function close(shown, open) {
  const body = shown.trimEnd();
  const marks = open.map(({ char, left }) => char.repeat(left)).reverse().join("");
  return { shown, closed: marks ? body + marks + shown.slice(body.length) : shown };
}

function closeCode(source, from, length, open) {
  const shown = source.replace(/`+$/, "");
  if (!shown.slice(from).trim()) return close(source.slice(0, from - length), open);
  return { shown, closed: close(shown + "`".repeat(length), open).closed };
}

function closeLink(source, at, open) {
  return { shown: source, closed: close(`${source.slice(0, at)}](${PENDING})`, open).closed };
}
