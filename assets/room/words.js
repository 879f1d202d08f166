// The room's words and colours, for the phone's page and the projector. A plain script, so that old browsers run it and a
// module can import it: it sets `window.roomWords`. Knows no page.

window.roomWords = (() => {
  const MIN_N = 5; // answers of a group, below which nothing is said of it: demo/room/results.py
  const WHITE = "#fff";
  // By the keys of the texts' colours: the background of a phone's badge, and its number upon it.
  const COLOURS = {
    red: ["#b91c1c", WHITE], orange: ["#c2410c", WHITE], yellow: ["#facc15", "#18181b"], green: ["#15803d", WHITE], teal: ["#0f766e", WHITE],
    blue: ["#1d4ed8", WHITE], purple: ["#7e22ce", WHITE], pink: ["#be185d", WHITE], brown: ["#78350f", WHITE], grey: ["#4b5563", WHITE],
  };

  // The first of the user's languages that `texts` has.
  function chooseLanguage(texts) {
    const wanted = (navigator.languages || [navigator.language || ""]).map((each) => each.slice(0, 2));
    return wanted.filter((each) => texts[each])[0] || "en";
  }

  // Seconds: "0.11", "6.5", "125"
  function formatSeconds(seconds, language) {
    const digits = seconds < 0.995 ? 2 : seconds < 99.5 ? 1 : 0;
    return seconds.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // Functions that write `texts` in `language`. A value with " s" after its place is in seconds, another number is a count.
  function speak(texts, language) {
    const own = texts[language];
    const write = (value, isTime) => (
      typeof value !== "number" ? value : isTime ? formatSeconds(value, language) : value.toLocaleString(language));
    const say = (key, values) => own[key].replace(
      /\{(\w+)\}(?=(\u00a0s| s)?)/g, (place, name, unit) => write((values || {})[name], Boolean(unit)));
    return {
      language,
      say,
      nameOf: ({ animal, colour }) => `${own.animals[animal]}, ${own.colours[colour]}`,
      describe: (results) => describe(results, say, true),
      summarize: (results) => describe(results, say, false),
    };
  }

  const median = (values) => {
    const sorted = values.slice().sort((one, other) => one - other);
    return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  };

  // The results of a round in sentences: what was true, what each group felt (unless a table says it), and what follows.
  function describe(results, say, withGroups) {
    const describeKind = { race: describeRace, predict: describePrediction, stop: describeStops, crowd: describeCrowd }[results.kind];
    const cut = results.finish === "cancelled" && results.kind !== "crowd" && results.seconds ? [say("cancelled", results)] : [];
    return cut.concat(describeKind(results, say, withGroups));
  }

  function describeRace(results, say, withGroups) {
    const { seconds, finish } = results;
    const took = seconds !== null && finish !== "cancelled" ? [say("took", { seconds })] : [];
    return took.concat(describeFelt(results, say, withGroups));
  }

  function describePrediction(results, say, withGroups) {
    const { seconds, ttft, predictions } = results;
    if (seconds === null || ttft === null) return describeFelt(results, say, withGroups);
    const came = [say("first_came", { ttft, seconds })];
    const { first, last } = predictions;
    if (first.length >= MIN_N) came.push(say("predicted", { first: median(first), ttft, last: median(last), seconds }));
    return came.concat(describeFelt(results, say, withGroups));
  }

  function describeFelt({ arms, sentence }, say, withGroups) {
    const felt = ["streamed", "whole"].filter((arm) => withGroups && arms[arm].n >= MIN_N);
    const lines = felt.map((arm) => `${say(arm)}: ${say("felt", arms[arm])}, n = ${arms[arm].n}.`);
    if (felt.length) lines.push(say("interval"));
    return lines.concat(sentence ? describeDifference(sentence, say) : say("too_few"));
  }

  // An interval of a difference that is below 0 is told as one of its size.
  function describeDifference({ key, values }, say) {
    const [low, high] = [values.low, values.high].map(Math.abs).sort((one, other) => one - other);
    return say(key, { difference: Math.abs(values.difference), low, high });
  }

  function describeStops({ stopped, tokens_saved: tokens, seconds_saved: seconds, at_least: isLeast }, say) {
    if (!stopped) return [say("nobody_stopped")];
    return [say(isLeast ? "saved_at_least" : "saved", { stopped, tokens, seconds })];
  }

  const describeCrowd = (results, say) => [say(results.refused ? "served" : "served_at_once", results)];

  return { COLOURS, MIN_N, chooseLanguage, formatSeconds, speak };
})();
