// What changed between two tries of a quiz, in a sentence. Knows no page.

// Each of the three holds the number of an answer for each question.
export function describeChange(right, before, after) {
  const count = (holds) => right.filter((answer, at) => holds(before[at] === answer, after[at] === answer, before[at] !== after[at])).length;
  const counts = {
    all: right.length,
    before: count((was) => was),
    after: count((was, is) => is),
    gained: count((was, is) => !was && is),
    lost: count((was, is) => was && !is),
    moved: count((was, is, changed) => !was && !is && changed),
  };
  return `${counts.before} of ${counts.all} right before, ${counts.after} of ${counts.all} after: ${describe(counts)}`;
}

function describe({ all, before, gained, lost, moved }) {
  if (before === all && lost === 0) return "all of it was known before.";
  if (gained + lost + moved === 0) return "no answer changed.";
  return `newly right: ${gained}; no longer right: ${lost}; changed from one wrong answer to another: ${moved}.`;
}
