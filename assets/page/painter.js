// A playout buffer: paints a growing text token by token, each when it is due on this browser's clock.
// A batch of tokens has the time at which each was sampled, in milliseconds since the request. The first token is painted at
// once; each later one as long after it as it was sampled later, plus `delay`: how late a batch's oldest token arrives.
// Knows no page and no server.

const SPARSE_MS = 28; // between two tokens from which each is an update of its own
const UPDATE_MS = 47; // between two updates where tokens come faster: 21 a second; each costs the model's cores a frame
const EARLY_MS = 2; // before it is due at which a token may be painted
const SMOOTHING = 0.2; // how fast the delay falls after a late batch

// `show(text, count)` shows all text up to the token `count`.
// Way 24: The painter shows each token when it is due, never a whole batch at once
export function createPainter(show) {
  let text, schedule, offsets, ends, next, base, delay, stretch, last, timer;

  function reset() {
    clearTimeout(timer);
    [text, schedule, offsets, ends] = ["", "", [], []];
    [next, base, delay, stretch, last, timer] = [0, null, 0, 1, 0, null];
  }

  // `received` is all text so far, `written` its schedule: "offset length;" for each token.
  function feed(received, written) {
    const now = performance.now();
    const from = offsets.length;
    text = received;
    for (const token of written.slice(schedule.length).split(";")) if (token) parse(token);
    schedule = written;
    if (offsets.length === from) return;
    if (base === null && ends.at(-1) > 0) base = now - offsets[ends.findIndex((end) => end > 0)];
    else if (base !== null) adjustDelay(now - base - offsets[from]);
    if (document.hidden) paint(offsets.length);
    advance();
  }

  function parse(token) {
    const [offset, length] = token.split(" ").map(Number);
    offsets.push(offset);
    ends.push((ends.at(-1) ?? 0) + length);
  }

  function adjustDelay(lateness) {
    delay = lateness > delay ? lateness : delay + SMOOTHING * (lateness - delay);
  }

  // Plays a recorded run `factor` times slower.
  function play(recorded, written, factor) {
    reset();
    [base, stretch] = [performance.now(), factor];
    feed(recorded, written);
  }

  const due = (token) => (base === null ? 0 : base + offsets[token] * stretch + (token === 0 ? 0 : delay));

  function advance() {
    clearTimeout(timer);
    const now = performance.now();
    const wait = next === offsets.length ? Infinity : findDue() - now;
    if (wait === Infinity) return;
    if (wait <= EARLY_MS) {
      let reached = next;
      while (reached < offsets.length && due(reached) <= now + EARLY_MS) reached++;
      paint(reached);
      advance();
    } else {
      timer = setTimeout(advance, wait);
    }
  }

  // When to paint the next token: when it is due, but among dense tokens not before the next update.
  function findDue() {
    const sparse = next === 0 || offsets[next] - offsets[next - 1] >= SPARSE_MS / stretch;
    return Math.max(due(next), sparse ? 0 : last + UPDATE_MS);
  }

  function paint(count) {
    if (count <= next) return;
    next = count;
    last = performance.now();
    show(text.slice(0, ends[count - 1]), count);
  }

  // The answer is complete: paints all of it.
  function finish(complete) {
    clearTimeout(timer);
    next = offsets.length;
    show(complete, next);
  }

  // Paints what has been received.
  function flush() {
    clearTimeout(timer);
    paint(offsets.length);
  }

  reset();
  return { feed, finish, flush, play, reset };
}
