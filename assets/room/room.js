// The phone's page of a room: it joins, shows each round, and sends what its owner says. A plain script for old browsers.

(() => {
  const find = (id) => document.getElementById(id);
  const PARTS = ["question", "answer", "waiting", "results", "code-form", "guess-form", "stop", "send", "recorded"];
  const FIRST_RETRY = 1; // seconds, where the server was not reached
  const typed = location.pathname.split(/\/room\/?/).pop();
  const code = (typed || "").toUpperCase();
  const base = location.pathname.slice(-5) === "/room" ? "room/" : ""; // of the addresses of other codes
  const texts = JSON.parse(find("texts").textContent);
  let words = null;
  let line = null;
  let state = emptyState("joining");
  let shown = {}; // what of the state is on the screen

  function emptyState(view) {
    return { view, me: null, round: null, answered: false, stopped: false, text: "", tokens: 0, complete: false,
      results: null, error: null, request: null };
  }

  // --- the server's events --------------------------------------------------------------------------------------------

  const listeners = {
    joined: (me) => change({ me, view: "room", error: null }),
    refused(status, retryAfter) {
      if (state.me) { change(emptyState("closed")); return; }
      const reason = { 404: ["no_room", { code }], 429: ["wait_to_join", { seconds: retryAfter }], 409: ["full"] }[status];
      change({ view: "code", error: reason || ["no_room", { code }] });
      if (status !== 404) find("code").value = code;
    },
    line(isUp) { find("lost").hidden = isUp; },
    state(snapshot) {
      const { round, text, tokens, answered, ended, stopped, results } = snapshot;
      speak(state.me.language || snapshot.language);
      const before = state.round;
      const isSame = round && before && before.number === round.number;
      change({
        view: "room", text: round && round.kind === "crowd" ? state.text : text || "", tokens, answered, stopped,
        results, round, complete: ended, request: isSame ? state.request : null,
      });
      if (!isSame) resetGuesses();
      if (stopped) keepSaid({ stopped: tokens });
    },
    round(round) {
      const isNew = !state.round || state.round.number !== round.number;
      if (isNew) change({ text: "", tokens: 0, stopped: false, complete: false, results: null, request: null });
      if (isNew || state.round.phase !== round.phase) resetGuesses();
      const answered = !isNew && state.round.phase === round.phase && state.answered;
      change({ round, answered, error: null });
    },
    text({ round, text, tokens }) {
      if (!state.round || state.round.number !== round) return;
      change({ text: state.text + text, tokens: tokens || state.tokens });
    },
    stopped({ tokens }) { keepSaid({ stopped: tokens }); }, // what was on its way when the owner stopped included
    end() { if (!state.stopped) change({ complete: true }); },
    results: (results) => change({ results, round: Object.assign({}, state.round, { phase: "ended" }), text: "" }),
    closed() { change(emptyState("closed")); },
  };

  // --- what the phone's owner does ------------------------------------------------------------------------------------

  const guesses = ["first", "last"].map((name) => roomGuess(find(`guess-${name}`), () => words));

  function resetGuesses() { if (words) guesses.forEach((guess) => guess.reset()); }

  const recallSaid = (round) => (state.me.said && state.me.said.round === round ? state.me.said : { round });
  const keepSaid = (said) => line.keep({ said: Object.assign(recallSaid(state.round.number), said) });

  find("guess-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [first, last] = guesses.map((guess) => guess.get());
    const isPrediction = state.round.phase === "predicting";
    if (last === null || (isPrediction && first === null)) { change({ error: ["move"] }); return; }
    if (isPrediction && last < first) { change({ error: ["order"] }); return; }
    const said = isPrediction ? { first, last } : { felt: last };
    change({ answered: true, error: null });
    line.answer(Object.assign({ round: state.round.number }, said), (status) => {
      if (status === 409) change({ error: ["too_late"] });
      else if (status !== 204) change({ answered: false, error: ["lost"] });
      else keepSaid(said);
    });
  });

  find("stop").addEventListener("click", () => {
    change({ stopped: true });
    line.stop(state.round.number, (status) => { if (status === 0) change({ stopped: false }); });
  });

  find("send").addEventListener("click", () => {
    change({ request: { attempt: 0, wait: null, status: null, seconds: null, error: null, begun: Date.now() } });
    attempt();
  });

  find("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = find("code").value.trim().toUpperCase();
    if (typed) location.href = base + encodeURIComponent(typed);
  });

  // One attempt of round 4, and the next where the server refuses, when it says so.
  function attempt() {
    const { round, request } = state;
    const isCurrent = () => state.round && state.round.number === round.number && state.round.phase === "running";
    const set = (values) => change({ request: Object.assign({}, state.request, values) });
    set({ attempt: request.attempt + 1, wait: null });
    change({ text: "" });
    const onEvent = ({ token, error }) => {
      if (!isCurrent()) return;
      if (error) set({ error });
      else if (token && !token.special) change({ text: state.text + token.text });
    };
    line.ask(round.number, onEvent, (status, reply, answer) => {
      if (!isCurrent() || state.request.error) return;
      if (status === 200) set({ seconds: (Date.now() - request.begun) / 1000 });
      else if (status === 429 || status === 503 || status === 0) {
        set({ status });
        countDown(Number(answer.getResponseHeader("Retry-After")) || FIRST_RETRY, isCurrent, set);
      } else set({ error: reply.error || String(status) });
    });
  }

  function countDown(wait, isCurrent, set) {
    if (!isCurrent()) return;
    if (wait <= 0) { attempt(); return; }
    set({ wait });
    setTimeout(() => countDown(wait - 1, isCurrent, set), Math.min(1, wait) * 1000);
  }

  // --- what is shown --------------------------------------------------------------------------------------------------

  function change(values) {
    state = Object.assign({}, state, values);
    if (words) render();
  }

  const write = (id, text) => { if (shown[id] !== text) { shown[id] = text; find(id).textContent = text; } };

  // A text's key, [key, values], or [sentence] of the server.
  function say(key) {
    if (!key) return "";
    const [name, values] = Array.isArray(key) ? key : [key];
    return texts[words.language][name] === undefined ? name : words.say(name, values);
  }

  function render() {
    const scene = roomScene(state);
    document.body.dataset.scene = scene.name;
    for (const part of PARTS) find(part).hidden = scene.parts.indexOf(part) < 0;
    find("replayed").hidden = !state.round || !state.round.recorded;
    const headline = say(scene.headline);
    write("headline", headline);
    write("hint", say(scene.hint));
    write("question", state.round ? state.round.prompt : "");
    showMe();
    showAnswer(scene.name);
    if (scene.name === "results") showResults();
    if (scene.parts.indexOf("guess-form") >= 0) showGuesses();
    announce(scene, headline);
  }

  // The live region has the headline of each new scene, never the answer's text: that may be read in its own region.
  function announce(scene, headline) {
    const hint = scene.name === "refused" ? "" : say(scene.hint); // it counts down
    const text = `${scene.name === "reading" && headline === say("answer") ? say("begun") : headline}. ${hint}`;
    write("announcer", scene.name === "results" ? [...find("results").children].map((line) => line.textContent).join(" ") : text);
  }

  function showMe() {
    const { me } = state;
    find("me").hidden = !me;
    if (!me) return;
    find("badge").style.background = roomWords.COLOURS[me.colour][0];
    find("badge").style.color = roomWords.COLOURS[me.colour][1];
    write("badge", String(me.number));
    write("name", words.nameOf(me));
    find("me").setAttribute("aria-label", `${words.say("number", { number: me.number })}: ${words.nameOf(me)}`);
  }

  // New text is added to the old. Its end stays in sight unless the reader has scrolled up; what comes whole is read from its top.
  function showAnswer(scene) {
    const host = find("answer");
    const before = shown.answer || "";
    const isAtEnd = host.scrollHeight - host.scrollTop - host.clientHeight < 40;
    if (state.text !== before) {
      if (state.text.slice(0, before.length) === before && host.firstChild) host.firstChild.appendData(state.text.slice(before.length));
      else host.textContent = state.text;
      shown.answer = state.text;
    } else if (scene === shown.scene) return;
    shown.scene = scene;
    const isWhole = state.round && state.round.arm === "whole";
    if (isAtEnd && !isWhole) host.scrollTop = host.scrollHeight;
  }

  function showGuesses() {
    const isPrediction = state.round.phase === "predicting";
    find("guess-first").hidden = !isPrediction;
    guesses[0].name(words.say("when_first"));
    guesses[1].name(words.say(isPrediction ? "when_last" : "until_last"));
    write("guess", words.say(isPrediction ? "say_predicted" : "say_felt"));
  }

  function showResults() {
    const host = find("results");
    const lines = [...describeOwn(recallSaid(state.results.round), state.results), ...words.describe(state.results)];
    const key = lines.join("\n");
    if (shown.results === key) return;
    shown.results = key;
    host.textContent = "";
    for (const text of lines) host.appendChild(document.createElement("li")).textContent = text;
  }

  const isNumber = (value) => typeof value === "number";

  function describeOwn({ felt, first, last, stopped }, { tokens }) {
    return [
      isNumber(first) && words.say("you_predicted", { first, last }),
      isNumber(felt) && words.say("you_felt", { felt }),
      isNumber(stopped) && tokens > stopped && words.say("you_saved", { tokens: tokens - stopped }),
    ].filter(Boolean);
  }

  // --- beginning ------------------------------------------------------------------------------------------------------

  // The room's language, unless the phone's owner has chosen another.
  function speak(language) {
    if (language === words.language || !texts[language]) return;
    find("language").value = language;
    setLanguage(language);
  }

  function setLanguage(language) {
    words = roomWords.speak(texts, language);
    document.documentElement.lang = language;
    document.title = words.say("page_title");
    for (const node of document.querySelectorAll("[data-text]")) node.textContent = words.say(node.dataset.text);
    find("answer").setAttribute("aria-label", words.say("answer"));
    shown = { answer: shown.answer };
    render();
  }

  const select = find("language");
  for (const language of Object.keys(texts)) {
    const option = select.appendChild(document.createElement("option"));
    option.value = option.lang = language;
    option.textContent = texts[language].name;
  }
  select.value = roomWords.chooseLanguage(texts);
  select.addEventListener("change", () => {
    if (state.me) line.keep({ language: select.value });
    setLanguage(select.value);
  });
  if (!code) state.view = "code";
  setLanguage(select.value);
  resetGuesses();
  if (!code) return;
  line = roomLine(code, listeners);
  line.join();
})();
