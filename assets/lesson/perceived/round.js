// One round: a story that the model continues, shown streamed or whole, and when it was painted. Seconds on this browser's clock.

import { element } from "../shared/dom.js";
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
  const answer = showOpening(host, opening);
  const visibility = watchVisibility();
  try {
    const asked = performance.now();
    const body = { inputs: before + opening, parameters: createParameters(tokens) };
    const painted = await (mode === "streamed" ? stream : wait)(body, answer, { signal, onFirst });
    return { first: (painted.first - asked) / 1000, total: (painted.last - asked) / 1000, tokens: painted.tokens, hidden: visibility.hidden };
  } finally {
    visibility.end();
  }
}

const createParameters = (tokens) => ({
  max_new_tokens: tokens, max_tokens_per_second: PACE, details: true,
  do_sample: true, temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1,
});

// The opening, followed by an empty answer, which looks the same in both modes.
function showOpening(host, opening) {
  const answer = element("span", { class: "answer", "data-waiting": "Waiting for the answer …" });
  host.replaceChildren(element("span", { class: "opening" }, opening), answer);
  return answer;
}

async function stream(body, answer, { signal, onFirst }) {
  const host = answer.parentElement;
  let first = null;
  const onToken = ({ token }) => {
    if (token.special || !token.text) return;
    const atEnd = host.scrollHeight - host.scrollTop - host.clientHeight < 32;
    answer.append(token.text);
    if (atEnd) host.scrollTop = host.scrollHeight;
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

// {hidden}: whether the tab is or was hidden since.
function watchVisibility() {
  const visibility = { hidden: document.hidden, end: () => document.removeEventListener("visibilitychange", update) };
  const update = () => { visibility.hidden ||= document.hidden; };
  document.addEventListener("visibilitychange", update);
  return visibility;
}
