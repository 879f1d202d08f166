// Paints a growing text token by token, each when it is due on this browser's clock.
// A batch of tokens tells when each was sampled, in milliseconds since the request. The first token is painted at once;
// each later one as long after it as it was sampled later, plus `delay`: how late a batch's oldest token arrives.
// What comes at the end is painted at once. Knows no page and no server.
"use strict";

const SPARSE = 28; // ms between two tokens from which each is an update of its own
const BEAT = 47; // ms between two updates where tokens come faster: 21 a second; each costs the model's cores a frame
const EARLY = 2; // ms before it is due at which a token may be painted
const EASE = 0.2; // how fast the delay falls again after a late batch

// `show(text, count)` shows all text up to the token `count`.
// Way 23: The painter shows each token when it is due, never a whole batch at once
export function createPainter(show) {
  let text, schedule, offsets, ends, next, base, delay, stretch, last, timer;

  function reset() {
    clearTimeout(timer);
    [text, schedule, offsets, ends] = ["", "", [], []];
    [next, base, delay, stretch, last, timer] = [0, null, 0, 1, 0, null];
  }

  // All that is known so far: `more` of the text, and its schedule, "offset length;" per token.
  function feed(more, written) {
    const now = performance.now();
    const from = offsets.length;
    text = more;
    for (const token of written.slice(schedule.length).split(";")) if (token) read(token);
    schedule = written;
    if (offsets.length === from) return;
    if (base === null && ends.at(-1) > 0) base = now - offsets[ends.findIndex((end) => end > 0)];
    else if (base !== null) retime(now - base - offsets[from]);
    if (document.hidden) paint(offsets.length);
    advance();
  }

  function read(token) {
    const [offset, length] = token.split(" ").map(Number);
    offsets.push(offset);
    ends.push((ends.at(-1) ?? 0) + length);
  }

  function retime(lateness) {
    delay = lateness > delay ? lateness : delay + EASE * (lateness - delay);
  }

  // The whole of a recorded run, `factor` times slower than it was.
  function play(all, written, factor) {
    reset();
    [base, stretch] = [performance.now(), factor];
    feed(all, written);
  }

  const due = (token) => (base === null ? 0 : base + offsets[token] * stretch + (token === 0 ? 0 : delay));

  function advance() {
    clearTimeout(timer);
    const now = performance.now();
    const wait = next === offsets.length ? Infinity : findMoment() - now;
    if (wait === Infinity) return;
    if (wait <= EARLY) {
      let reached = next;
      while (reached < offsets.length && due(reached) <= now + EARLY) reached++;
      paint(reached);
      advance();
    } else {
      timer = setTimeout(advance, wait);
    }
  }

  // When the next token is painted: when it is due, and among tokens that follow fast not before the next beat.
  function findMoment() {
    const sparse = next === 0 || offsets[next] - offsets[next - 1] >= SPARSE / stretch;
    return Math.max(due(next), sparse ? 0 : last + BEAT);
  }

  function paint(count) {
    if (count <= next) return;
    next = count;
    last = performance.now();
    show(text.slice(0, ends[count - 1]), count);
  }

  // No more will come: `all` is shown at once.
  function finish(all) {
    clearTimeout(timer);
    next = offsets.length;
    show(all, next);
  }

  // All that is known is shown at once; more may come.
  function hurry() {
    clearTimeout(timer);
    paint(offsets.length);
  }

  reset();
  return { feed, finish, hurry, play, reset };
}
