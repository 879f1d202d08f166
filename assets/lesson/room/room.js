// The station of the room: a whole class in one race, on the projector. A view of the server's events is shown whenever it changes.

import "../../room/words.js";
import { copy, describeError, download } from "../shared/dom.js";
import { bindQuota } from "../shared/quota.js";
import { presenting } from "../contents/presenter.js";
import { createLink } from "../exports/exports.js";
import { bindPlan } from "./plan.js";
import { showResults } from "./results.js";
import { readResults, writeResults, FIELD } from "./saved.js";
import { createStage } from "./stage.js";
import { followRoom, forget, isKept, openRoom, order, resumeRoom } from "./teacher.js";
import { EMPTY, fold } from "./view.js";

const CLOSE_MS = 5000; // for the second press

export async function mount(root) {
  const find = (name) => root.querySelector(`#room-${name}`);
  find("open").disabled = true;
  const words = await loadWords();
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = words.say(node.dataset.text);
  const page = { root, find, words, room: null, view: EMPTY, plan: null, stage: null, shown: 0 };
  page.plan = bindPlan(find, words);
  page.stage = createStage(find, words);
  bindOrders(page);
  bindFiles(page);
  show(page);
  find("open").disabled = false;
  if (isKept()) await enter(page, resumeRoom);
  else await showLink(page);
}

// The page's language, where the room has it.
async function loadWords() {
  const load = async (name) => (await fetch(new URL(`../../room/${name}.json`, import.meta.url))).json();
  const [shared, own] = await Promise.all(["texts", "projector"].map(load));
  const texts = Object.fromEntries(Object.keys(shared).map((language) => [language, { ...shared[language], ...own[language] }]));
  const asked = document.documentElement.lang.slice(0, 2);
  return { ...window.roomWords.speak(texts, texts[asked] ? asked : "en"), prompts: own[texts[asked] ? asked : "en"].prompts };
}

// --- opening and closing ----------------------------------------------------------------------------------------------------

// Opens a room or comes back to it, and follows it until it is closed.
async function enter(page, getRoom) {
  const { find, words } = page;
  report(page, words.say("opening"));
  find("open").disabled = true;
  const control = new AbortController();
  try {
    const room = await getRoom();
    Object.assign(page, { room, view: EMPTY, shown: 0 });
    showDoor(page);
    await followRoom(room, {
      onEvent(name, data) {
        const before = page.view.round?.phase;
        page.view = fold(page.view, name, data);
        show(page);
        const isNew = page.view.round?.phase !== before && page.view.round?.phase !== "ended";
        if (name === "end" && data.error) report(page, words.say("failed", data), true);
        if (name === "results" || (name === "round" && isNew)) keepInSight(page);
      },
      onLine(isUp) { if (page.room) reportLine(page, isUp); },
      signal: control.signal,
    });
    leave(page, words.say("closed"));
  } catch (error) {
    const isGone = error.status === 404 || error.status === 403;
    leave(page, isGone ? words.say("gone") : error instanceof TypeError ? words.say("unreachable") : describeError(error), true);
  } finally {
    control.abort();
    find("open").disabled = false;
  }
}

function reportLine(page, isUp) {
  const isBeyondReach = page.room.reachable === false;
  report(page, !isUp ? page.words.say("back") : isBeyondReach ? page.words.say("unreachable_url") : "", !isUp || isBeyondReach);
}

function leave(page, sentence, isWrong = false) {
  page.room = null;
  forget();
  report(page, sentence, isWrong);
  show(page);
}

function report({ find }, sentence, isWrong = false) {
  find("status").textContent = sentence;
  find("status").classList.toggle("wrong", isWrong);
}

function showDoor({ find, room, words }) {
  find("qr").replaceChildren(new DOMParser().parseFromString(room.qr, "text/html").querySelector("svg"));
  find("qr").setAttribute("aria-label", words.say("qr", { url: room.url }));
  find("address").firstElementChild.textContent = room.url.replace(/^https?:\/\//, "").slice(0, -room.code.length);
  find("code").textContent = room.code;
}

// --- what the teacher orders ------------------------------------------------------------------------------------------------

function bindOrders(page) {
  const { find, words, plan } = page;
  const confirm = bindQuota(find("status"), () => (plan.read().kind === "crowd" ? page.view.present : 1));
  const send = async (path, options) => {
    find("status").classList.remove("wrong");
    try {
      await order(page.room, path, options);
    } catch (error) {
      report(page, error instanceof TypeError ? words.say("unreachable") : describeError(error), true);
    }
  };
  find("open").addEventListener("click", () => { if (!page.room) enter(page, () => openRoom(words.language)); });
  find("plan").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await confirm()) await send("/rounds", { method: "POST", body: plan.read() });
  });
  find("next").addEventListener("click", () => send("/advance", { method: "POST" }));
  bindClose(page, () => send("", { method: "DELETE" }));
}

// The first press only says what closing means.
function bindClose(page, close) {
  let asked = null;
  page.find("close").addEventListener("click", () => {
    if (asked !== null) {
      clearTimeout(asked);
      asked = null;
      close();
      return;
    }
    report(page, page.words.say("close_again"));
    asked = setTimeout(() => {
      asked = null;
      report(page, "");
    }, CLOSE_MS);
  });
}

function bindFiles(page) {
  const { find, words } = page;
  find("csv").addEventListener("click", async () => {
    try {
      download(`room-${page.room.code}.csv`, await (await order(page.room, "/results.csv")).text(), "text/csv");
    } catch (error) {
      report(page, describeError(error), true);
    }
  });
  find("picture").addEventListener("click", () => download(`room-${page.view.round.number}.png`, page.stage.takePicture()));
  find("link").addEventListener("click", () => {
    const station = [...document.querySelectorAll("#contents a")].findIndex(({ hash }) => hash === "#station-room") + 1;
    const link = createLink(`${FIELD}=${writeResults(page.view.results)}&station=${station}`);
    find("link-label").hidden = false;
    find("link-text").value = link;
    find("link-text").select();
    copy(link, find("link"), words.say("copied"));
  });
}

// --- what is shown ----------------------------------------------------------------------------------------------------------

function show(page) {
  const { find, room, view, plan, stage } = page;
  const phase = view.round?.phase ?? "lobby";
  find("stage").hidden = find("bar").hidden = !room;
  find("begin").hidden = Boolean(room);
  page.root.toggleAttribute("data-open", Boolean(room));
  find("stage").dataset.phase = phase;
  find("present").textContent = view.present;
  find("phones").textContent = page.words.say(view.present === 1 ? "here_one" : "here");
  const isIdle = phase === "lobby" || phase === "ended";
  find("start").hidden = find("plan").hidden = !isIdle;
  find("next").hidden = isIdle;
  if (!isIdle) find("next").textContent = page.words.say(`next_${phase}`);
  find("csv").hidden = !room;
  find("picture").hidden = !room || !stage.hasPicture();
  stage.show(view);
  if (view.results.length !== page.shown) {
    page.shown = view.results.length;
    plan.choose(view.results.length);
    showRounds(page, view.results);
  }
}

// What a new phase shows is scrolled to, unless its teacher has gone elsewhere on the page.
function keepInSight({ root, find, view }) {
  const { top, bottom } = root.getBoundingClientRect();
  if (bottom < 0 || top > innerHeight) return;
  if (presenting()) root.scrollIntoView({ block: "start" });
  else find(view.round.phase === "ended" ? "results" : "now").scrollIntoView({ block: "start" });
}

// The last round's results, and those of earlier rounds in a closed box.
function showRounds({ find, words, room }, rounds) {
  find("results").hidden = rounds.length === 0;
  find("link-label").hidden = true;
  find("earlier").hidden = rounds.length < 2;
  find("earlier").open = !room;
  if (!rounds.length) return;
  const hosts = rounds.slice(0, -1).reverse().map((results) => {
    const host = document.createElement("div");
    showResults(host, results, words);
    return host;
  });
  find("earlier").querySelector("div").replaceChildren(...hosts);
  showResults(find("latest"), rounds.at(-1), words);
}

// The results that a link holds.
async function showLink(page) {
  const value = new URLSearchParams(location.hash.slice(1)).get(FIELD);
  if (value === null) return;
  const rounds = readResults(value);
  report(page, page.words.say(rounds ? "earlier" : "broken_link"), !rounds);
  if (!rounds) return;
  page.view = { ...EMPTY, results: rounds };
  show(page);
}
