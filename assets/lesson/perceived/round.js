// One round: a story that the model continues, shown streamed or whole, and when it was painted. Seconds on this browser's clock.

import { element, keepEndInSight } from "../shared/dom.js";
import { generateStreamed, generateWhole, applyChatTemplate } from "../shared/stream.js";
import { PACE } from "./estimates.js";

export const OPENINGS = [
  "Once upon a time, in a small village by the sea,",
  "The old clockmaker put down his lamp and",
  "On the first day of winter, Clara found a letter in",
  "Nobody in the valley remembered who had planted the tree, but",
  "The train stopped in the middle of the forest, and",
  "My grandmother used to tell me about the island where",
  "When the rain finally ended, the two brothers",
  "There was once a baker whose bread",
  "The little fox had never seen the ocean before, so",
  "At the edge of the desert stood a library, and",
  "Every morning the lighthouse keeper wrote in her diary that",
  "The captain looked at the map once more and",
];

// The prompt before an opening, so that a chat model continues the story; empty for a model without a template.
export const createStoryPrompt = (signal) => applyChatTemplate("Tell me a very long story.", { signal }).catch(() => "");

// Shows the continuation of `opening` in `host`; `onFirst` is called with the first text of a stream. {first, total, tokens, hidden}:
// the waits until the first and the last text were painted, the number of tokens, and whether the tab was hidden meanwhile.
export async function showRound({ mode, tokens }, { before, opening }, host, { signal, onFirst }) {
  const answer = element("span", { class: "answer", "data-waiting": "Waiting for the answer …" }); // empty at first, in both modes
  host.replaceChildren(element("span", { class: "opening" }, opening), answer);
  let { hidden } = document;
  const update = () => { hidden ||= document.hidden; };
  document.addEventListener("visibilitychange", update);
  try {
    const asked = performance.now();
    const body = { inputs: before + opening, parameters: createParameters(tokens) };
    const painted = await (mode === "streamed" ? stream : wait)(body, answer, { signal, onFirst });
    return { first: (painted.first - asked) / 1000, total: (painted.last - asked) / 1000, tokens: painted.tokens, hidden };
  } finally {
    document.removeEventListener("visibilitychange", update);
  }
}

const createParameters = (tokens) => ({
  max_new_tokens: tokens, max_tokens_per_second: PACE, details: true,
  do_sample: true, temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1,
});

async function stream(body, answer, { signal, onFirst }) {
  let first = null;
  const onToken = ({ token }) => {
    if (token.special || !token.text) return;
    keepEndInSight(answer.parentElement, () => answer.append(token.text));
    if (first === null) onFirst(first = nextPaint());
  };
  const { tokens, details } = await generateStreamed(body, { signal, onToken });
  if (details === null) throw new Error("The stream broke off before its end: begin again.");
  const last = await nextPaint();
  return { first: (await first) ?? last, last, tokens: tokens.length };
}

// The first text is painted with the last.
async function wait(body, answer, { signal }) {
  const { text, details } = await generateWhole(body, { signal });
  answer.append(text);
  const last = await nextPaint();
  return { first: last, last, tokens: details.generated_tokens };
}

// The moment after the next frame.
const nextPaint = () => new Promise((resolve) => {
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
});
