// One job and three readers of its run: server-sent events, polling, a webhook. The page shows each reader's text; requests,
// bytes and staleness are from the server's report (ways-report.js), on the engine's clock.

import { bindRun, element, keepEndInSight } from "../shared/dom.js";
import { formatPlural } from "../shared/format.js";
import { RefusedError, address, ask } from "../shared/stream.js";
import { WAYS, showReport } from "./ways-report.js";

const INBOX_POLL_MS = 100;
const PACE = 10; // tokens/s, as ways.html says

export function mount(root) {
  const find = (name) => root.querySelector(`#ways-${name}`);
  const panes = Object.fromEntries(WAYS.map(({ name }) => [name, createPane(find(`${name}-text`), find(`${name}-now`))]));
  const [interval, status] = [find("interval"), find("status")];
  const earlier = new Map(); // by interval, the row of its last run
  bindRun({ begin: find("begin"), stop: find("stop"), status }, async (signal) => {
    Object.values(panes).forEach((pane) => pane.clear());
    find("results").hidden = true;
    status.textContent = `One run, slowed to ${PACE} tokens/s; three readers …`;
    const inbox = `/webhooks/inbox/${createInboxName()}`;
    const parameters = { max_new_tokens: Number(find("length").value), max_tokens_per_second: PACE };
    const intervals = [interval.value]; // more than one if it is changed meanwhile
    interval.addEventListener("input", () => intervals.push(interval.value), { signal });
    const job = await createJob({ inputs: find("inputs").value, parameters, webhook_url: inbox }, signal);
    await readThreeWays(job, inbox, panes, interval, signal);
    const report = await fetchJson(`/jobs/${job.id}/report`, signal);
    status.textContent = "Done: all three readers have the whole text.";
    await showReport(find, { report, intervals, earlier, texts: Object.values(panes).map((pane) => pane.text) });
  });
}

// Runs all three readers to the end. If one fails, or on Stop, the job is cancelled and the others end.
async function readThreeWays(job, inbox, panes, interval, stopped) {
  const readers = new AbortController();
  const abort = () => readers.abort();
  const { signal } = readers;
  stopped.addEventListener("abort", abort);
  window.addEventListener("pagehide", () => cancel(job), { signal });
  try {
    if (stopped.aborted) throw new Error("Stopped.");
    const streamed = followStream(job, panes.streamed, signal);
    const delivered = streamed.then(() => waitForDelivery(job, inbox, panes.webhook, signal));
    await Promise.all([streamed, poll(job, panes.polling, interval, signal), delivered]);
  } catch (error) {
    cancel(job);
    throw error;
  } finally {
    stopped.removeEventListener("abort", abort);
    abort();
  }
}

// Creates a job. On Stop before the server's reply, the job is cancelled as soon as its id is known.
async function createJob(body, signal) {
  const created = ask("/jobs", { method: "POST", body }).then((response) => response.json());
  try {
    return await Promise.race([created, untilAborted(signal)]);
  } catch (error) {
    created.then(cancel, () => {});
    throw error;
  }
}

// Is sent even while the page is being closed, when no failure could be shown.
function cancel(job) {
  fetch(address(`/jobs/${job.id}`), { method: "DELETE", keepalive: true }).catch(() => {});
}

// EventSource reconnects by itself and sends the id of the last event that it received.
function followStream(job, pane, signal) {
  const path = `/jobs/${job.id}/events`;
  const source = new EventSource(address(path));
  const completed = new Promise((resolve, reject) => {
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.error) return reject(new RefusedError(200, event.error, event.error_type));
      pane.add([event.token]);
      if (event.generated_text !== null) resolve();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) fetchRefusal(path).then(reject);
    };
  });
  return Promise.race([completed, untilAborted(signal)]).finally(() => source.close());
}

// EventSource does not report why it was refused: a second request does.
async function fetchRefusal(path) {
  try {
    const response = await ask(path);
    await response.body?.cancel();
    return new Error("The stream broke off: run it again.");
  } catch (error) {
    return error;
  }
}

async function poll(job, pane, interval, signal) {
  for (let since = 0, state = "queued", asked = performance.now(); state === "queued" || state === "running";) {
    await waitForInterval(interval, asked, signal);
    asked = performance.now();
    const reply = await fetchJson(`/jobs/${job.id}?since=${since}`, signal);
    if (reply.error) throw new Error(reply.error);
    pane.add(reply.tokens);
    ({ next: since, state } = reply);
  }
}

// Waits until the interval, which may change meanwhile, has passed since the last poll, at `asked`.
async function waitForInterval(interval, asked, signal) {
  const ended = new AbortController();
  const passed = new Promise((resolve) => {
    let timer;
    const restart = () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, asked + Number(interval.value) * 1000 - performance.now());
    };
    interval.addEventListener("input", restart, { signal: ended.signal });
    ended.signal.addEventListener("abort", () => clearTimeout(timer));
    restart();
  });
  await Promise.race([passed, untilAborted(signal)]).finally(() => ended.abort());
}

// Reads the inbox until the server reports that the webhook was delivered, or that it has given up.
async function waitForDelivery(job, inbox, pane, signal) {
  for (;;) {
    const { deliveries } = await fetchJson(inbox, signal);
    const { webhook } = await fetchJson(`/jobs/${job.id}/report`, signal);
    if (webhook.state === "failed") throw new Error("The webhook could not be delivered to this server's own inbox.");
    if (deliveries.length && webhook.report) {
      const { data } = JSON.parse(deliveries[0].body);
      return pane.add([{ text: data.generated_text }], data.details.generated_tokens);
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, INBOX_POLL_MS)), untilAborted(signal)]);
  }
}

// --- what is shown ---------------------------------------------------------------------------------------------------

function createPane(box, now) {
  const node = document.createTextNode("");
  box.append(element("span", { translate: "no" }, node));
  let [tokens, pieces] = [0, 0];
  const markEmpty = () => box.classList.toggle("idle", node.data === "");
  markEmpty();
  return {
    get text() { return node.data; },
    clear() {
      node.data = "";
      [tokens, pieces] = [0, 0];
      now.textContent = "0 tokens";
      markEmpty();
    },
    // `added` are the tokens of one reply or event; `count` is their number where one text has several.
    add(added, count = added.length) {
      keepEndInSight(box, () => node.appendData(added.map((token) => token.text).join("")));
      markEmpty();
      [tokens, pieces] = [tokens + count, pieces + (added.length > 0)];
      now.textContent = `${formatPlural(tokens, "token")} · ${formatPlural(pieces, "piece")}`;
    },
  };
}

const fetchJson = async (path, signal) => (await ask(path, { signal })).json();
const createInboxName = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function untilAborted(signal) {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error("Stopped."));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
}
