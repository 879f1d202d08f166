// One stream, byte for byte: the request, the response's headers, and each event as it arrives, on this browser's clock.

import { copy, element, describeError, bindOutput, bindRun, keepEndInSight } from "../shared/dom.js";
import { formatCount, formatSeconds } from "../shared/format.js";
import { highlight } from "./parts.js";
import { JSON_TYPE, KINDS, writeCurl } from "./requests.js";
import { address, ask, readEvents, RefusedError } from "../shared/stream.js";

const MAX_ROWS = 400;
const HEADER_NOTES = {
  "cache-control": "no-cache: revalidate before reuse (no-store is what forbids keeping it); no-transform: proxies must not compress it",
  "content-type": "makes it an event stream",
  "transfer-encoding": "the length is not known in advance",
  "x-accel-buffering": "nginx must not buffer it",
  "x-request-id": "identifies it in the server's log",
};

export function mount(root) {
  const find = (name) => root.querySelector(`#events-${name}`);
  const [kind, question, tokens, status] = ["kind", "question", "tokens", "status"].map(find);
  const exchange = createExchange(find);
  const sent = {}; // by kind, the last question and the first event of its answer
  const compose = (signal) => KINDS[kind.value].compose(question.value.trim(), Number(tokens.value), signal);

  bindOutput(tokens, tokens.parentElement.querySelector("output"));
  const update = () => {
    find("note").textContent = KINDS[kind.value].note;
    question.disabled = tokens.disabled = !["native", "chat"].includes(kind.value);
  };
  kind.addEventListener("change", update);
  update();
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) find("send").click();
  });

  bindRun({ begin: find("send"), stop: find("stop"), status }, async (signal) => {
    const [chosen, asked] = [kind.value, question.value.trim()];
    status.textContent = "Request sent …";
    exchange.clear();
    const request = await compose(signal);
    exchange.showRequest(request);
    const first = await exchange.run(request, signal, () => { status.textContent = "Stream open: events are arriving."; });
    status.textContent = exchange.describe();
    if (!["native", "chat"].includes(chosen)) return;
    sent[chosen] = { asked, raw: first };
    compareFirstEvents(sent, asked, find);
  });

  find("copy").addEventListener("click", async () => {
    try {
      const command = writeCurl(await compose());
      find("curl").textContent = command;
      await copy(command, find("copy"));
    } catch (error) {
      status.textContent = describeError(error);
    }
  });
}

// Shows one request and its response, and counts events and bytes.
function createExchange(find) {
  const [wire, list] = [find("wire"), find("wire").querySelector("ol")];
  let asked, previous, count, bytes, failure;

  function clear() {
    [asked, previous, count, bytes, failure] = [null, null, 0, 0, null];
    list.replaceChildren();
    wire.querySelector(".placeholder")?.remove();
    find("response").replaceChildren();
    setFlow("idle", "events, one way");
  }

  function setFlow(state, words) {
    find("exchange").dataset.flow = state;
    find("flow").textContent = words;
  }

  const add = (row) => keepEndInSight(wire, () => list.append(row));
  const mark = (text) => add(element("li", { class: "mark" }, text));

  function showEvent({ at, raw, data }) {
    count += 1;
    bytes += new TextEncoder().encode(raw).length;
    if (count <= MAX_ROWS) add(createRow(raw, (at - asked) / 1000, previous === null ? null : (at - previous) / 1000));
    previous = at;
    const error = data?.startsWith('{"error"') ? JSON.parse(data).error : null;
    failure = error?.message ?? error;
    setFlow("open", `${formatCount(count)} ${count === 1 ? "event" : "events"}, one way`);
  }

  // Sends the request and shows the response; returns the first event that is not a comment.
  async function run({ method, path, body }, signal, onOpen) {
    let first = null;
    asked = performance.now();
    setFlow("asking", "no response yet");
    try {
      const response = await ask(path, { method, body, signal });
      find("response").replaceChildren(...describeResponse(response));
      onOpen();
      for await (const event of readEvents(response)) {
        showEvent(event);
        if (event.data !== undefined) first ??= event.raw;
      }
    } catch (error) {
      if (error instanceof RefusedError) find("response").textContent = `${error.status}: refused before any event.`;
      if (signal.aborted) mark("You closed the connection: the server stops generating within a token.");
      setFlow("closed", signal.aborted ? "closed by you" : "closed");
      throw error;
    }
    if (count > MAX_ROWS) mark(`… and ${formatCount(count - MAX_ROWS)} more`);
    mark("The server closed the stream.");
    setFlow("closed", `closed after ${formatCount(count)} events`);
    return first;
  }

  function showRequest(request) {
    const { method, path, body } = request;
    const lines = [`${method} ${path}`, `Host: ${new URL(address("")).host}`];
    if (body) lines.push(`Content-Type: ${JSON_TYPE}`);
    const [line, ...headers] = lines.map((text) => element("div", {}, text));
    line.className = "first";
    const rest = element("div", { class: "why" }, "and the headers that the browser adds itself, which a page can't read");
    const json = body && element("div", { class: "body" }, JSON.stringify(body));
    find("request").replaceChildren(line, ...headers, rest, ...(json ? [json] : []));
    find("curl").textContent = writeCurl(request);
  }

  function describe() {
    const amount = `${formatCount(count)} events, ${formatCount(bytes)} bytes in ${formatSeconds((previous - asked) / 1000)}`;
    return failure ? `The stream broke off: ${amount}. The last event says: ${failure}` : `Done: ${amount}, by this browser's clock.`;
  }

  find("request").textContent = "Nothing yet.";
  return { clear, run, showRequest, describe };
}

function createRow(raw, since, gap) {
  return element("li", {},
    element("span", { class: "when" }, formatSeconds(since)),
    element("span", { class: "gap" }, gap === null ? "" : `+${formatSeconds(gap)}`),
    element("code", {}, ...highlight(raw.replace(/\n\n$/, ""))));
}

// All that a page can read of a response; the version of HTTP is not part of it.
function describeResponse(response) {
  const lines = [...response.headers].map(([header, value]) => element("div", {},
    element("b", {}, `${header}: `), value, HEADER_NOTES[header] ? element("span", { class: "why" }, HEADER_NOTES[header]) : null));
  return [element("div", { class: "first" }, `${response.status} ${response.statusText}`.trim()), ...lines];
}

// The first event of the answer to the same question, by either route.
function compareFirstEvents(sent, asked, find) {
  for (const kind of ["native", "chat"]) {
    if (sent[kind]?.asked === asked && sent[kind].raw) find(`same-${kind}`).replaceChildren(...highlight(sent[kind].raw.trimEnd()));
    else find(`same-${kind}`).textContent = "Send the same question to this route.";
  }
}
