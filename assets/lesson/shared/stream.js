// This server's API, called with fetch. Every moment is `performance.now()` of this browser, in milliseconds.
// Server-sent events as in the WHATWG's HTML standard, section 9.2; fetch, since EventSource can't POST.
"use strict";

export class Refused extends Error {
  constructor(status, sentence, kind, retryAfter) {
    super(sentence);
    Object.assign(this, { status, kind, retryAfter });
  }
}

// The address of a route: this page's own server, wherever it is mounted.
export const address = (path) => new URL(path.replace(/^\//, ""), document.baseURI).href;

// A response, or Refused with the server's own sentence. `body` is sent as JSON.
export async function ask(path, { method = "GET", body, signal } = {}) {
  const options = { method, signal, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const response = await fetch(address(path), options);
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  const sentence = said.error?.message ?? said.error ?? `The server answered ${response.status}.`;
  throw new Refused(response.status, sentence, said.error_type ?? said.error?.type, response.headers.get("Retry-After"));
}

// The stream of a response: {at, raw} for each event as it arrives, with {data} (its text), or {comment}.
// Events that arrived in one read have the same `at`.
export async function* readEvents(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const at = performance.now();
      const blocks = (rest + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) yield { at, raw: `${block}\n\n`, ...parse(block) };
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parse(block) {
  const lines = block.split("\n");
  if (lines.every((line) => line.startsWith(":"))) return { comment: lines.map((line) => line.slice(1).trim()).join("\n") };
  return { data: lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, "")).join("\n") };
}

// A question as the model reads it, in its chat template. The native routes leave text with control tokens as it is.
export async function putInTemplate(question, { signal } = {}) {
  const body = { messages: [{ role: "user", content: question }] };
  return (await (await ask("/chat_tokenize", { method: "POST", body, signal })).json()).templated_text;
}

// Generate, streamed: calls `onToken(event, at)` for each; returns {asked, first, end, tokens, text, details} where
// `first` is when the first text that can be seen arrived, or null.
export async function generateStreamed(body, { signal, onToken, path = "/generate_stream" } = {}) {
  const asked = performance.now();
  return { asked, ...await readAnswer(await ask(path, { method: "POST", body, signal }), onToken) };
}

// What a response of /generate_stream tells: generateStreamed's, without `asked`.
export async function readAnswer(response, onToken = () => {}) {
  const told = { first: null, end: null, tokens: [], text: "", details: null };
  for await (const { at, data } of readEvents(response)) {
    if (data === undefined) continue;
    const event = JSON.parse(data);
    if (event.error) throw new Refused(response.status, event.error, event.error_type);
    told.tokens.push({ at, ...event.token });
    if (!event.token.special) told.text += event.token.text;
    if (told.first === null && event.token.text && !event.token.special) told.first = at;
    told.details = event.details ?? told.details;
    onToken(event, at);
  }
  told.end = performance.now();
  return told;
}

// Generate, whole: {asked, end, text, details, headers}; the first text is there at the end.
export async function generateWhole(body, { signal } = {}) {
  const asked = performance.now();
  const response = await ask("/generate", { method: "POST", body, signal });
  const reply = await response.json();
  return { asked, end: performance.now(), text: reply.generated_text, details: reply.details, headers: response.headers };
}
