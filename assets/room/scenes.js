// What a phone shows in each moment of a round: headline, hint, and which parts of the page are there. Pure: from the state to a
// value. A plain script for old browsers: it sets `window.roomScene`.

window.roomScene = (() => {
  // A scene: its name, the texts' keys of headline and hint (or [key, values]), the parts shown, and the answer's text.
  const scene = (name, headline, hint, ...parts) => ({ name, headline, hint, parts });

  const LOBBY = scene("lobby", "you_are_in", "begins_there", "recorded");

  // The scene of `state`: {view, round, answered, stopped, text, results, error, request}.
  return function chooseScene(state) {
    const { view, round, results, error } = state;
    if (view === "code") return scene("code", "enter_code", error, "code-form");
    if (view === "joining") return scene("joining", "joining", error);
    if (view === "closed") return scene("closed", "over", "closed");
    if (!round) return LOBBY;
    if (round.phase === "ended") return results ? scene("results", "results", null, "results", "recorded") : LOBBY;
    if (round.phase === "predicting") return chooseForm(state, "predicting", "your_guess", error);
    if (round.phase === "guessing" && round.arm) return chooseForm(state, "guessing", "how_long", error || "no_clock");
    if (round.kind === "crowd") return chooseRequest(state);
    if (round.kind === "stop") return chooseStop(state);
    if (!round.arm) return LOBBY;
    return chooseReading(state);
  };

  function chooseForm({ answered, error }, name, headline, hint) {
    if (answered) return scene("thanks", "thanks", error || (name === "predicting" ? "begins_there" : "results_come"), "waiting");
    return scene(name, headline, hint, "question", ...(name === "guessing" ? ["answer"] : []), "guess-form");
  }

  // Both ways look the same until the first text: nobody is told which one it is.
  function chooseReading({ text, complete }) {
    if (complete) return scene("reading", "complete", null, "question", "answer");
    if (text) return scene("reading", "answer", null, "question", "answer");
    return scene("waiting", "being_written", "no_clock", "question", "waiting");
  }

  function chooseStop({ text, stopped, tokens }) {
    if (stopped) return scene("stopped", "you_stopped", ["stopped_after", { tokens }], "question", "answer");
    if (!text) return scene("waiting", "being_written", "stop_hint", "question", "waiting", "stop");
    return scene("stopping", "answer", "stop_hint", "question", "answer", "stop");
  }

  function chooseRequest({ request, text }) {
    if (!request) return scene("send", "crowd", "send_hint", "question", "send");
    const { attempt, wait, status, seconds, error } = request;
    if (error) return scene("failed", "crowd", [error], "question");
    if (seconds !== null) return scene("answered", "answer", ["answered_after", { attempt, seconds }], "question", "answer");
    if (wait !== null) {
      const refused = status === 429;
      return scene("refused", refused ? "refused" : "sent", [refused ? "retry_in" : "lost_request", { wait: String(Math.ceil(wait)) }], "question", "waiting");
    }
    if (text) return scene("reading", "answer", ["attempt", { attempt }], "question", "answer");
    return scene("waiting", "sent", ["attempt", { attempt }], "question", "waiting");
  }
})();
