// One round: a story that the model continues, shown streamed or whole, and when it could be seen. Seconds of this browser's clock.
"use strict";

import { element } from "../shared/dom.js";
import { generateStreamed, generateWhole, putInTemplate } from "../shared/stream.js";
import { PACE } from "./felt.js";

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

// What stands before an opening, so that a chat model goes on telling: nothing for a model without a template.
export const askForStory = (signal) => putInTemplate("Tell me a very long story.", { signal }).catch(() => "");

// Continues `opening` after `before` in `host`; `onFirst` is called with the first text of a stream. {first, total, tokens, away}: the waits until the
// first and the last text were painted, how many tokens came, and whether the tab was hidden meanwhile.
export async function showRound({ mode, tokens }, { before, opening }, host, { signal, onFirst }) {
  const answer = lay(host, opening);
  const sight = watchSight();
  try {
    const asked = performance.now();
    const body = { inputs: before + opening, parameters: parametersOf(tokens) };
    const seen = await (mode === "streamed" ? stream : wait)(body, answer, { signal, onFirst });
    return { first: (seen.first - asked) / 1000, total: (seen.last - asked) / 1000, tokens: seen.tokens, away: sight.lost };
  } finally {
    sight.end();
  }
}

const parametersOf = (tokens) => ({
  max_new_tokens: tokens, max_tokens_per_second: PACE, details: true,
  do_sample: true, temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1,
});

// The opening, and after it the place of the answer: it looks the same whichever way that will come.
function lay(host, opening) {
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
    if (first === null) onFirst(first = painted());
  };
  const { tokens, details } = await generateStreamed(body, { signal, onToken });
  if (details === null) throw new Error("The stream broke off before its end: begin again.");
  const last = await painted();
  return { first: (await first) ?? last, last, tokens: tokens.length };
}

// Nothing can be read before the end: the first text is painted with the last.
async function wait(body, answer, { signal }) {
  const { text, details } = await generateWhole(body, { signal });
  answer.append(text);
  const last = await painted();
  return { first: last, last, tokens: details.generated_tokens };
}

// Right after the frame that shows what has been written by now.
const painted = () => new Promise((resolve) => {
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
});

// {lost}: whether the tab was hidden, then or since.
function watchSight() {
  const sight = { lost: document.hidden, end: () => document.removeEventListener("visibilitychange", look) };
  const look = () => { sight.lost ||= document.hidden; };
  document.addEventListener("visibilitychange", look);
  return sight;
}
