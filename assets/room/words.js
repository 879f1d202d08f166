// The room's words and colours, for the phone's page and the projector. A plain script, so that old browsers run it and a
// module can import it: it sets `window.roomWords`. Knows no page.

window.roomWords = (() => {
  // By the keys of the texts' colours; white text on each has a contrast of 4.5 and more.
  const COLOURS = {
    teal: "#0f766e", amber: "#b45309", violet: "#6d28d9", rose: "#be123c",
    blue: "#1d4ed8", green: "#15803d", brown: "#78350f", grey: "#4b5563",
  };
  const NAMES = Object.keys(COLOURS);

  // The colour of a phone, which follows from its number.
  const colourOf = (number) => COLOURS[NAMES[(number - 1) % NAMES.length]];

  // The first of the user's languages that `texts` has.
  function chooseLanguage(texts) {
    const wanted = (navigator.languages || [navigator.language || ""]).map((each) => each.slice(0, 2));
    return wanted.filter((each) => texts[each])[0] || "en";
  }

  const formatCount = (count, language) => count.toLocaleString(language);

  // Seconds: "0.11", "6.5", "125"
  function formatSeconds(seconds, language) {
    const digits = seconds < 0.995 ? 2 : seconds < 99.5 ? 1 : 0;
    return seconds.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  // Functions that write `texts` in `language`. A value with " s" after its place is in seconds, another number is a count.
  function speak(texts, language) {
    const own = texts[language];
    const has = (key) => typeof own[key] === "string";
    const write = (value, isTime) => (
      typeof value !== "number" ? value : isTime ? formatSeconds(value, language) : formatCount(value, language));
    const say = (key, values) => own[key].replace(
      /\{(\w+)\}(?=(\u00a0s| s)?)/g, (place, name, unit) => write((values || {})[name], Boolean(unit)));
    return {
      language,
      say,
      nameOf: ({ animal, colour }) => `${own.animals[animal]}, ${own.colours[colour]}`,
      describe: (results) => describe(results, say, has),
    };
  }

  // The results of a round in sentences: what was true, what each group felt, and what follows.
  function describe(results, say, has) {
    const { kind, ttft, seconds, arms, sentence } = results;
    const lines = [];
    if (kind === "race" && seconds !== null) lines.push(say("took", { seconds }));
    if (kind === "predict" && seconds !== null && ttft !== null) lines.push(say("first_came", { ttft, seconds }));
    const felt = ["streamed", "whole"].filter((arm) => arms && arms[arm] && arms[arm].low !== null);
    for (const arm of felt) lines.push(`${say(arm)}: ${say("felt", arms[arm])}, n = ${arms[arm].n}.`);
    if (felt.length) lines.push(say("interval"));
    const asks = kind === "race" || kind === "predict";
    if (sentence && has(sentence.key)) lines.push(say(sentence.key, sentence.values));
    else if (asks) lines.push(say("too_few"));
    return lines;
  }

  return { colourOf, chooseLanguage, formatSeconds, speak };
})();
