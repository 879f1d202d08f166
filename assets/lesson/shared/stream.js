// This server's API, called with fetch. Every moment is `performance.now()` of this browser, in milliseconds.
// Server-sent events as in the WHATWG's HTML standard, section 9.2; EventSource can't POST.

export class RefusedError extends Error {
  constructor(status, sentence, kind, retryAfter) {
    super(sentence);
    Object.assign(this, { status, kind, retryAfter });
  }
}

// The address of a route, below any path at which the page is served.
export const address = (path) => new URL(path.replace(/^\//, ""), document.baseURI).href;

// A response, or a RefusedError with the server's message. `body` is sent as JSON.
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const options = { method, headers, signal, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { ...headers, "Content-Type": "application/json" };
  }
  const response = await fetch(address(path), options);
  if (response.ok) return response;
  const reply = await response.json().catch(() => ({}));
  const sentence = reply.error?.message ?? reply.error ?? `The server answered ${response.status}.`;
  throw new RefusedError(response.status, sentence, reply.error_type ?? reply.error?.type, response.headers.get("Retry-After"));
}

// Each event of a response as it arrives: {at, raw} with {data} and its name if it has one, or with {comment}. Events of one read share `at`.
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
  const read = (field) => lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).replace(/^ /, ""));
  return { data: read("data").join("\n"), name: read("event").pop() };
}

// The question in the model's chat template. The native routes do not change text that has control tokens.
export async function applyChatTemplate(question, { signal } = {}) {
  const body = { messages: [{ role: "user", content: question }] };
  return (await (await ask("/chat_tokenize", { method: "POST", body, signal })).json()).templated_text;
}

// Calls `onToken(event, at)` for each event; gives {asked, first, end, tokens, text, details}, where `first` is when the first
// visible text arrived, or null.
export async function generateStreamed(body, { signal, onToken, path = "/generate_stream" } = {}) {
  const asked = performance.now();
  return { asked, ...await readAnswer(await ask(path, { method: "POST", body, signal }), onToken) };
}

// The answer in a response of /generate_stream: as generateStreamed's, without `asked`.
export async function readAnswer(response, onToken = () => {}) {
  const answer = { first: null, end: null, tokens: [], text: "", details: null };
  for await (const { at, data } of readEvents(response)) {
    if (data === undefined) continue;
    const event = JSON.parse(data);
    if (event.error) throw new RefusedError(response.status, event.error, event.error_type);
    answer.tokens.push({ at, ...event.token });
    if (!event.token.special) answer.text += event.token.text;
    if (answer.first === null && event.token.text && !event.token.special) answer.first = at;
    answer.details = event.details ?? answer.details;
    onToken(event, at);
  }
  answer.end = performance.now();
  return answer;
}

// {asked, end, text, details}; the first text is there at the end.
export async function generateWhole(body, { signal } = {}) {
  const asked = performance.now();
  const response = await ask("/generate", { method: "POST", body, signal });
  const reply = await response.json();
  return { asked, end: performance.now(), text: reply.generated_text, details: reply.details };
}
