// One job and three readers of its run: server-sent events, polling, a webhook. This browser shows the text as each
// reader has it; what it took is the server's own report (ways-report.js), on the engine's clock.
"use strict";

import { tieRun } from "../shared/dom.js";
import { Refused, address, ask } from "../shared/stream.js";
import { WAYS, plural, show } from "./ways-report.js";

const LOOK_AGAIN_MS = 100;
const PACE = 10; // tokens/s, as ways.html says

export function mount(root) {
  const find = (name) => root.querySelector(`#ways-${name}`);
  const panes = Object.fromEntries(WAYS.map(({ name }) => [name, openPane(find(`${name}-text`), find(`${name}-now`))]));
  const [interval, status] = [find("interval"), find("status")];
  const earlier = new Map(); // of each interval, the last run's row
  tieRun({ begin: find("begin"), stop: find("stop"), status }, async (signal) => {
    Object.values(panes).forEach((pane) => pane.clear());
    find("results").hidden = true;
    status.textContent = `One run, slowed to ${PACE} tokens/s; three readers …`;
    const inbox = `/webhooks/inbox/${nameInbox()}`;
    const parameters = { max_new_tokens: Number(find("length").value), max_tokens_per_second: PACE };
    const intervals = watch(interval, signal);
    const job = await begin({ inputs: find("inputs").value, parameters, webhook_url: inbox }, signal);
    await readThreeWays(job, inbox, panes, interval, signal);
    const report = await readJson(`/jobs/${job.id}/report`, signal);
    status.textContent = "Done: all three readers have the whole text.";
    await show(find, { report, intervals, earlier, texts: Object.values(panes).map((pane) => pane.text) });
  });
}

// The intervals at which a run is polled, in order: more than one where it is changed meanwhile.
function watch(interval, signal) {
  const chosen = [interval.value];
  interval.addEventListener("input", () => chosen.push(interval.value), { signal });
  return chosen;
}

// All three, until each has the end. Whatever ends them early, Stop or a failure, ends the job and the others.
async function readThreeWays(job, inbox, panes, interval, stopped) {
  const readers = new AbortController();
  const leave = () => readers.abort();
  const { signal } = readers;
  stopped.addEventListener("abort", leave);
  window.addEventListener("pagehide", () => cancel(job), { signal });
  try {
    if (stopped.aborted) throw new Error("Stopped.");
    const streamed = followStream(job, panes.streamed, signal);
    const posted = streamed.then(() => lookForPost(job, inbox, panes.webhook, signal));
    await Promise.all([streamed, poll(job, panes.polling, interval, signal), posted]);
  } catch (error) {
    cancel(job);
    throw error;
  } finally {
    stopped.removeEventListener("abort", leave);
    leave();
  }
}

// A job, once the server has taken it. Stopped while it is being asked for, it is cancelled as soon as it has a name.
async function begin(body, signal) {
  const asked = ask("/jobs", { method: "POST", body }).then((response) => response.json());
  try {
    return await Promise.race([asked, untilAborted(signal)]);
  } catch (error) {
    asked.then(cancel, () => {});
    throw error;
  }
}

// Sent even while the page is being closed; a failure can't be shown any more.
function cancel(job) {
  fetch(address(`/jobs/${job.id}`), { method: "DELETE", keepalive: true }).catch(() => {});
}

// The browser's own EventSource: it reconnects by itself and sends the id of the last event that it received.
function followStream(job, pane, signal) {
  const path = `/jobs/${job.id}/events`;
  const source = new EventSource(address(path));
  const told = new Promise((resolve, reject) => {
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.error) return reject(new Refused(200, event.error, event.error_type));
      pane.add([event.token]);
      if (event.generated_text !== null) resolve();
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) explain(path).then(reject);
    };
  });
  return Promise.race([told, untilAborted(signal)]).finally(() => source.close());
}

// An EventSource that is refused does not say why: asked once more, the server does.
async function explain(path) {
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
    await waitForTurn(interval, asked, signal);
    asked = performance.now();
    const reply = await readJson(`/jobs/${job.id}?since=${since}`, signal);
    if (reply.error) throw new Error(reply.error);
    pane.add(reply.tokens);
    ({ next: since, state } = reply);
  }
}

// Until the chosen interval, which may be changed meanwhile, is over since the last poll was sent, at `asked`.
async function waitForTurn(interval, asked, signal) {
  const over = new AbortController();
  const turn = new Promise((resolve) => {
    let timer;
    const aim = () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, asked + Number(interval.value) * 1000 - performance.now());
    };
    interval.addEventListener("input", aim, { signal: over.signal });
    over.signal.addEventListener("abort", () => clearTimeout(timer));
    aim();
  });
  await Promise.race([turn, untilAborted(signal)]).finally(() => over.abort());
}

// What arrived in the inbox, once the server reports that its POST was accepted, or that it has given up.
async function lookForPost(job, inbox, pane, signal) {
  for (;;) {
    const { deliveries } = await readJson(inbox, signal);
    const { webhook } = await readJson(`/jobs/${job.id}/report`, signal);
    if (webhook.state === "failed") throw new Error("The webhook could not be delivered to this server's own inbox.");
    if (deliveries.length && webhook.report) {
      const { data } = JSON.parse(deliveries[0].body);
      return pane.add([{ text: data.generated_text }], data.details.generated_tokens);
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS)), untilAborted(signal)]);
  }
}

// --- what is shown ---------------------------------------------------------------------------------------------------

function openPane(box, now) {
  const node = box.appendChild(document.createTextNode(""));
  let [tokens, pieces] = [0, 0];
  const idle = () => box.classList.toggle("idle", node.data === "");
  idle();
  return {
    get text() { return node.data; },
    clear() {
      node.data = "";
      [tokens, pieces] = [0, 0];
      now.textContent = "0 tokens";
      idle();
    },
    // One reply or event with `added`; `count` where one text stands for several tokens.
    add(added, count = added.length) {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 32;
      node.appendData(added.map((token) => token.text).join(""));
      idle();
      if (atEnd) box.scrollTop = box.scrollHeight;
      [tokens, pieces] = [tokens + count, pieces + (added.length > 0)];
      now.textContent = `${plural(tokens, "token")} in ${plural(pieces, "piece")}`;
    },
  };
}

// --- small things ----------------------------------------------------------------------------------------------------

const readJson = async (path, signal) => (await ask(path, { signal })).json();
const nameInbox = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function untilAborted(signal) {
  return new Promise((_, reject) => {
    const leave = () => reject(new Error("Stopped."));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
  });
}
