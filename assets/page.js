// What only the browser can do: clocks that tick, the moment a text was painted, scrolling, Esc, announcements.
// Gradio sends values; the mount… functions write them as text, never as markup. No clock here meets the engine's.
"use strict";

window.tokenStreaming = (() => {
  const NOTHING_YET = "0.00 s";
  // ms between two ticks: a little longer than between two texts, for each text ticks as well, and a frame costs cores
  // that on this machine the model may be using.
  const TICK = /^(localhost$|127\.|\[::1\])/.test(location.hostname) ? 300 : 125;
  const SIDES = ["streamed", "whole"];
  const clocks = Object.fromEntries(SIDES.map((side) => [side, { started: null, running: false, asked: null }]));
  // When this browser's visitor asked, when the first text came, and when it was on the screen.
  const UNMARKED = { asked: null, arrived: null, painted: null };
  const marks = Object.fromEntries(SIDES.map((side) => [side, { ...UNMARKED }]));
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let ticking = null;

  const find = (id) => document.getElementById(id);
  const duration = (ms) => (ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
  const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
  // A script that is loaded when it is first needed.
  const load = (name, folder = name) => import(new URL(`lesson/${folder}/${name}.js`, document.baseURI));
  const anyRunning = () => SIDES.some((side) => clocks[side].running);

  // --- clocks ---------------------------------------------------------------------------------------------------

  // Every so often, and with every text that comes.
  function tick() {
    const now = performance.now();
    for (const side of SIDES) {
      if (clocks[side].running) write(find(`${side}-clock`), `${((now - clocks[side].started) / 1000).toFixed(1)} s`);
      tellPaint(side);
    }
    clearTimeout(ticking);
    ticking = anyRunning() && !document.hidden ? setTimeout(tick, TICK) : null;
  }

  // On a click, before the server has answered: `asked` remembers what to show again should it refuse.
  function ask() {
    for (const side of SIDES) {
      const clock = clocks[side];
      clock.asked = find(`${side}-clock`)?.textContent ?? NOTHING_YET;
      clock.started = performance.now();
      clock.running = true;
    }
    tick();
  }

  function refuse() {
    for (const side of SIDES) {
      const clock = clocks[side];
      if (clock.asked === null) continue;
      clock.running = false;
      write(find(`${side}-clock`), clock.asked);
      clock.asked = null;
    }
  }

  function follow(side, { state, active }) {
    const clock = clocks[side];
    if (active) {
      clock.asked = null;
      clock.started ??= performance.now();
      clock.running = true;
      if (state === "queued") marks[side] = { ...UNMARKED, asked: clock.started };
      tick();
    } else if (clock.running) {
      clock.running = false;
      write(find(`${side}-clock`), `${((performance.now() - clock.started) / 1000).toFixed(2)} s`);
      tellPaint(side);
    }
    if (state === "idle") {
      write(find(`${side}-clock`), NOTHING_YET);
      marks[side] = { ...UNMARKED };
    }
  }

  // --- a connection that was cut ------------------------------------------------------------------------------------

  // At once: before Gradio's client opens its event stream.
  load("connection", "shared").then(({ watchConnection }) =>
    watchConnection({ isRacing: anyRunning, onLost: lose, onBack: comeBack }));

  let interrupted = []; // the clocks that were running

  function lose() {
    interrupted = SIDES.filter((side) => clocks[side].running);
    for (const side of interrupted) follow(side, { state: "lost", active: false });
    document.body.removeAttribute("data-racing");
    sayConnection("Connection lost: what came so far stays.");
  }

  // With its event stream Gradio's client has gone: what it showed stays until the reader asks for a new page.
  function comeBack(broken) {
    if (!broken) return goOn();
    if (!find("question")?.textContent) return reload();
    sayConnection("The connection was lost, and the server is back: what came so far stays until you reload the page. ");
    const button = Object.assign(document.createElement("button"), { id: "reload", textContent: "Reload", onclick: reload });
    find("message").append(button);
  }

  function goOn() {
    for (const side of interrupted) clocks[side].running = true;
    document.body.toggleAttribute("data-racing", anyRunning());
    tick();
    sayConnection("");
  }

  function sayConnection(sentence) {
    write(find("message"), sentence);
    find("message")?.parentElement.toggleAttribute("data-empty", sentence === "");
    for (const button of document.querySelectorAll("#buttons button, .chip")) button.disabled = sentence !== "";
  }

  function reload() {
    const prompt = promptBox()?.value || find("question")?.textContent;
    if (prompt) history.replaceState(null, "", `#${new URLSearchParams({ prompt })}`);
    location.reload();
  }

  // --- what a screen reader hears: beginnings and ends, never a token ----------------------------------------------

  function announce(side, { state, phase }) {
    const title = side === "streamed" ? "Streaming" : "Non-streaming";
    const text = state === "done" && side === "streamed" ? `: ${find("streamed-text")?.textContent}` : "";
    const telling = ["queued", "done", "stopped", "failed"].includes(state);
    if (telling && !(state === "queued" && side === "whole")) write(find("announcer"), `${title} ${phase}${text}`);
  }

  // --- components, called by Gradio as each is put on the page -------------------------------------------------------

  function mountLine(element, props, watch) {
    const apply = () => {
      const value = props.value;
      const text = typeof value === "string" ? value : (value?.text ?? "");
      write(element.firstElementChild, text);
      element.toggleAttribute("data-empty", text === "");
      if (element.firstElementChild.id === "message" && text) refuse();
    };
    apply();
    watch("value", apply);
  }

  // One side of the race: its text, in `element`, and the fields around it, wherever they stand in its pane.
  function mountPane(element, props, watch) {
    const root = element.firstElementChild;
    const side = root.id.split("-")[0];
    if (side === SIDES[0]) stopLoadingTimer();
    const node = root.appendChild(document.createTextNode(""));
    const body = root.closest(".pane-body");
    makeReachable(body, side);
    const toEnd = () => { body.scrollTop = body.scrollHeight; };
    let number = 0;
    const apply = () => {
      const value = props.value ?? {};
      // What Gradio sends last of a race may come after what was sent first of the next one.
      if (value.number < number) return;
      number = value.number ?? 0;
      const pane = root.closest(".pane");
      grow(value.text ?? "");
      for (const field of pane.querySelectorAll("[data-field]")) write(field, String(value[field.dataset.field] ?? ""));
      if (value.state !== root.dataset.state) turn(value);
      else tick();
    };
    const grow = (text) => {
      if (text === node.data) return;
      const first = node.data === "";
      const atEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 32;
      if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
      else node.data = text;
      if (text === "") write(find(`${side}-browser`), "");
      else if (first) {
        marks[side].arrived = performance.now();
        requestAnimationFrame(() => setTimeout(() => notePaint(root, side)));
      }
      if (atEnd) toEnd();
    };
    const turn = (value) => {
      root.dataset.state = root.closest(".pane").querySelector(".pane-head").dataset.state = value.state;
      follow(side, value);
      announce(side, value);
      document.body.toggleAttribute("data-racing", anyRunning());
      // A new answer begins below the past turns, which Gradio may draw after this.
      if (value.state === "queued") requestAnimationFrame(toEnd);
    };
    // Gradio may put the fields on the page after this.
    requestAnimationFrame(apply);
    watch("value", apply);
  }

  // Behind another tab, less is sent, and no clock ticks.
  function mountSight(trigger) {
    const tell = () => trigger(document.hidden ? "blur" : "focus");
    if (document.hidden) tell();
    document.addEventListener("visibilitychange", () => { tell(); tick(); });
  }

  // Called right after the frame that painted the first text.
  function notePaint(root, side) {
    const now = performance.now();
    root.dataset.paintedAt = String(performance.timeOrigin + now);
    marks[side].painted = now;
    if (!clocks[side].running) tellPaint(side);
  }

  // With the next tick: a frame of its own would cost as much as a text's.
  function tellPaint(side) {
    const { asked, painted } = marks[side];
    if (asked === null || painted === null) return;
    write(find(`${side}-browser`), `in your browser: first text after ${duration(painted - asked)}`);
  }

  function makeReachable(body, side) {
    body.tabIndex = 0;
    body.setAttribute("role", "region");
    body.setAttribute("aria-label", side === "streamed" ? "Streaming, text" : "Non-streaming, text");
  }

  // --- what is loaded when it is first needed: the lesson's stations, and the charts ----------------------------------

  // A part of the page that has a script of its own, named by its `data-station`: loaded when it comes near.
  function mountStation(element, props, watch) {
    const nearing = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      nearing.disconnect();
      mountNow(element, props, watch);
    }, { rootMargin: "400px" });
    nearing.observe(element.querySelector("[data-station]"));
    for (const button of element.querySelectorAll("button")) button.disabled = true;
  }

  // Its buttons can be pressed once there is something behind them.
  async function mountNow(element, props, watch) {
    const root = element.querySelector("[data-station]");
    const station = await load(root.dataset.station);
    for (const button of root.querySelectorAll("button")) button.disabled = false;
    station.mount(root, { props, watch });
  }

  // The last run, for whoever draws, saves or links to it: {number, trace, fragment}, as JSON; they hear a `run` event.
  function mountRun(element, props, watch) {
    mountNow(element, props, watch);
    const tell = () => {
      page.run = props.value ? JSON.parse(props.value) : null;
      document.dispatchEvent(new CustomEvent("run"));
    };
    tell();
    watch("value", tell);
  }

  // `value` is {figure, summary} as JSON, or nothing yet.
  function mountChart(element, props, watch) {
    const host = element.firstElementChild;
    const apply = () => {
      const { figure, summary } = JSON.parse(props.value || "{}");
      if (figure) load("charts", "shared").then((charts) => charts.draw(host, figure, { name: host.dataset.name, summary }));
    };
    apply();
    watch("value", apply);
  }

  // Gradio's loading screen leaves a timer behind that asks for every frame until the tab is closed. It took the
  // browser's own function before this script ran: a handle that nobody got through `window` is the timer's.
  function stopLoadingTimer() {
    const own = window.requestAnimationFrame;
    const known = new Set();
    const first = own.call(window, () => setTimeout(() => {
      window.requestAnimationFrame = own;
      const last = own.call(window, () => {});
      for (let handle = first + 1; handle < last; handle++) if (!known.has(handle)) cancelAnimationFrame(handle);
    }));
    window.requestAnimationFrame = (draw) => {
      const handle = own.call(window, draw);
      known.add(handle);
      return handle;
    };
  }

  // --- keys and clicks, on the document: Gradio may draw its components anew ------------------------------------------

  const promptBox = () => document.querySelector("#prompt textarea");

  function fill(text) {
    promptBox()?.focus();
    return text;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button?.id === "generate" && promptBox()?.value.trim() && !anyRunning()) ask();
    if (button?.id === "retry" && find("question")?.textContent) ask();
    if (button?.id === "example-run" && !anyRunning()) {
      ask();
      find("panes").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "start" });
    }
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && anyRunning()) find("stop")?.click();
    const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target === promptBox();
    if (sends && event.target.value.trim() && !anyRunning()) ask();
  }, true);

  window.addEventListener("hashchange", () => { if (location.hash.includes("=")) location.reload(); });
  document.documentElement.classList.toggle("framed", window.self !== window.top);

  const page = { run: null, marks: (side) => marks[side], fill, mountChart, mountLine, mountNow, mountPane, mountRun, mountSight, mountStation };
  return page;
})();
