// One stream, byte for byte: the request, the response's headers, and each event as it arrives. This browser's clock.
"use strict";

import { copy, element, sayCount, sayError, saySeconds, tieDial, tieRun } from "../shared/dom.js";
import { colour } from "./parts.js";
import { JSON_TYPE, KINDS, writeCurl } from "./requests.js";
import { address, ask, readEvents, Refused } from "../shared/stream.js";

const MAX_ROWS = 400;
const WHY = {
  "cache-control": "no-cache: revalidate before reuse (no-store is what forbids keeping it); no-transform: proxies must not compress it",
  "content-type": "makes it an event stream",
  "transfer-encoding": "the length is not known in advance",
  "x-accel-buffering": "nginx must not buffer it",
  "x-request-id": "identifies it in the server's log",
};

export function mount(root) {
  const find = (name) => root.querySelector(`#events-${name}`);
  const [kind, question, tokens, status] = ["kind", "question", "tokens", "status"].map(find);
  const exchange = makeExchange(root, find);
  const seen = {};
  const compose = (signal) => KINDS[kind.value].compose(question.value.trim(), Number(tokens.value), signal);

  tieDial(tokens, tokens.parentElement.querySelector("output"));
  const choose = () => {
    find("note").textContent = KINDS[kind.value].note;
    question.disabled = tokens.disabled = !["native", "chat"].includes(kind.value);
  };
  kind.addEventListener("change", choose);
  choose();
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) find("send").click();
  });

  tieRun({ begin: find("send"), stop: find("stop"), status }, async (signal) => {
    const [way, asked] = [kind.value, question.value.trim()];
    status.textContent = "Request sent …";
    exchange.clear();
    const request = await compose(signal);
    exchange.showRequest(request);
    const first = await exchange.follow(request, signal, () => { status.textContent = "Stream open: events are arriving."; });
    status.textContent = exchange.describe();
    if (!["native", "chat"].includes(way)) return;
    seen[way] = { asked, raw: first };
    showSame(seen, asked, find);
  });

  find("copy").addEventListener("click", async () => {
    try {
      const command = writeCurl(await compose());
      find("curl").textContent = command;
      await copy(command, find("copy"));
    } catch (error) {
      status.textContent = sayError(error);
    }
  });
}

// What is seen of one request: its parts on the page, and the counts that describe it.
function makeExchange(root, find) {
  const [wire, list] = [find("wire"), find("wire").querySelector("ol")];
  let asked, previous, count, bytes, failure;

  function clear() {
    [asked, previous, count, bytes, failure] = [null, null, 0, 0, null];
    list.replaceChildren();
    wire.querySelector(".placeholder")?.remove();
    find("response").replaceChildren();
    flow("idle", "events, one way");
  }

  function flow(state, words) {
    find("exchange").dataset.flow = state;
    find("flow").textContent = words;
  }

  // New rows are followed unless the reader has scrolled away from the last.
  function add(row) {
    const atEnd = wire.scrollHeight - wire.scrollTop - wire.clientHeight < 40;
    list.append(row);
    if (atEnd) wire.scrollTop = wire.scrollHeight;
  }

  const mark = (text) => add(element("li", { class: "mark" }, text));

  function showEvent({ at, raw, data }) {
    count += 1;
    bytes += new TextEncoder().encode(raw).length;
    if (count <= MAX_ROWS) add(makeRow(raw, (at - asked) / 1000, previous === null ? null : (at - previous) / 1000));
    previous = at;
    const error = data?.startsWith('{"error"') ? JSON.parse(data).error : null;
    failure = error?.message ?? error;
    flow("open", `${sayCount(count)} ${count === 1 ? "event" : "events"}, one way`);
  }

  // Sends the request and shows what comes; gives the first event that holds a token.
  async function follow({ method, path, body }, signal, onOpen) {
    let first = null;
    asked = performance.now();
    flow("asking", "no response yet");
    try {
      const response = await ask(path, { method, body, signal });
      find("response").replaceChildren(...describeResponse(response));
      onOpen();
      for await (const event of readEvents(response)) {
        showEvent(event);
        if (event.data !== undefined) first ??= event.raw;
      }
    } catch (error) {
      if (error instanceof Refused) find("response").textContent = `${error.status}: refused before any event.`;
      if (signal.aborted) mark("You closed the connection: the server stops generating within a token.");
      flow("closed", signal.aborted ? "closed by you" : "closed");
      throw error;
    }
    if (count > MAX_ROWS) mark(`… and ${sayCount(count - MAX_ROWS)} more`);
    mark("The server closed the stream.");
    flow("closed", `closed after ${sayCount(count)} events`);
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
    const said = `${sayCount(count)} events, ${sayCount(bytes)} bytes in ${saySeconds((previous - asked) / 1000)}`;
    return failure ? `The stream broke off: ${said}. The last event says: ${failure}` : `Done: ${said}, by this browser's clock.`;
  }

  root.querySelector("#events-request").textContent = "Nothing yet.";
  return { clear, follow, showRequest, describe };
}

function makeRow(raw, since, gap) {
  return element("li", {},
    element("span", { class: "when" }, saySeconds(since)),
    element("span", { class: "gap" }, gap === null ? "" : `+${saySeconds(gap)}`),
    element("code", {}, ...colour(raw.replace(/\n\n$/, ""))));
}

// Everything that the browser lets a page know of a response. It tells no version of HTTP.
function describeResponse(response) {
  const lines = [...response.headers].map(([header, value]) => element("div", {},
    element("b", {}, `${header}: `), value, WHY[header] ? element("span", { class: "why" }, WHY[header]) : null));
  return [element("div", { class: "first" }, `${response.status} ${response.statusText}`.trim()), ...lines];
}

// The first token of the same question, by either route.
function showSame(seen, asked, find) {
  for (const way of ["native", "chat"]) {
    if (seen[way]?.asked === asked && seen[way].raw) find(`same-${way}`).replaceChildren(...colour(seen[way].raw.trimEnd()));
    else find(`same-${way}`).textContent = "Send the same question to this route.";
  }
}
