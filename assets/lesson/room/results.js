// The results of a round on the projector: sentences, the groups' means with their intervals, and every guess as a dot.

import "../../room/words.js";
import { COLOURS, LEGEND_ABOVE, createLayout, draw } from "../shared/charts.js";
import { element, fillTable } from "../shared/dom.js";
import { MISSING } from "../shared/format.js";
import { presenting } from "../contents/presenter.js";

const ARMS = ["streamed", "whole"];
const NAMES = { race: "race", predict: "predict", stop: "stop_round", crowd: "crowd" };
const JITTER = 0.3; // of a row's height, by which guesses are spread so that equal ones are seen

// Shows one round's results in `host`; its chart is there once this resolves.
export async function showResults(host, results, words) {
  const { say } = words;
  const title = say("results_round", { number: results.round, name: say(NAMES[results.kind]) });
  const lines = words.summarize(results);
  const table = element("div", {});
  const chart = element("div", {});
  host.replaceChildren(
    element("h4", {}, title, " ", element("span", { class: "asked", dir: "auto" }, results.prompt)),
    ...lines.map((line) => element("p", { class: "verdict" }, line)), chart, table);
  if (!results.arms) return;
  fillTable(table, say("felt_caption"), ["group", "n_column", "felt_mean", "interval_column", "true_wait"].map((key) => say(key)),
    ARMS.map((arm) => writeRow(results, arm, words)));
  const rows = listRows(results, say);
  if (rows.some(({ values }) => values.length)) {
    await draw(chart, plot(rows, say), { name: `room-${results.round}`, summary: lines.join(" ") });
  }
}

function writeRow({ arms, seconds }, arm, { say, language }) {
  const format = (value) => (value === null ? MISSING : `${window.roomWords.formatSeconds(value, language)} s`);
  const { n, mean, low, high } = summarize(arms[arm]);
  return [say(arm), n, format(mean), low === null ? MISSING : `${format(low)} – ${format(high)}`, format(seconds)];
}

// Without a mean where the guesses are too few.
const summarize = (arm) => (arm.n < window.roomWords.MIN_N ? { ...arm, mean: null, low: null, high: null } : arm);

// What the chart has, from the top: each with its guesses, what was true, and the mean where there is one.
function listRows({ kind, arms, predictions, seconds, ttft }, say) {
  const felt = ARMS.map((arm) => ({ name: say("felt_axis", { arm: say(arm) }), values: arms[arm].guesses, truth: seconds, colour: COLOURS[arm], ...summarize(arms[arm]) }));
  if (kind !== "predict") return felt;
  const expected = (key, values, truth) => ({ name: say(key), values, truth, colour: COLOURS.neutral, mean: null, low: null, high: null });
  return [expected("expected_first", predictions.first, ttft), expected("expected_last", predictions.last, seconds), ...felt];
}

function plot(rows, say) {
  const y = (at) => rows.length - 1 - at;
  const spread = (at, values) => values.map((_, index) => y(at) + JITTER * ((((index + 1) * 0.618) % 1) - 0.5));
  const dots = rows.map(({ values, colour }, at) => ({
    type: "scatter", mode: "markers", name: say("guess_mark"), showlegend: at === rows.length - 1, x: values, y: spread(at, values),
    marker: { color: `${colour}99`, size: 11 }, hovertemplate: "%{x:.1f} s<extra></extra>",
  }));
  const told = rows.map((row, at) => ({ ...row, y: y(at) - 0.3 })).filter(({ low }) => low !== null);
  const means = {
    type: "scatter", mode: "markers", name: say("mean_mark"), x: told.map(({ mean }) => mean), y: told.map((row) => row.y),
    marker: { color: told.map(({ colour }) => colour), size: 15, symbol: "diamond" },
    error_x: {
      type: "data", symmetric: false, array: told.map(({ mean, high }) => high - mean), arrayminus: told.map(({ mean, low }) => mean - low),
      thickness: 3, width: 8, color: COLOURS.neutral,
    },
    hovertemplate: "%{x:.1f} s<extra></extra>", showlegend: told.length > 0,
  };
  const truth = {
    type: "scatter", mode: "markers", name: say("true_mark"), x: rows.map((row) => row.truth), y: rows.map((_, at) => y(at)),
    marker: { symbol: "line-ns-open", size: 52, color: COLOURS.neutral, line: { width: 4 } }, hovertemplate: "%{x:.1f} s<extra></extra>",
  };
  const font = { family: "system-ui, sans-serif", size: presenting() ? 20 : 13, color: "#767676" };
  return {
    data: [truth, ...dots, means],
    layout: createLayout(say("seconds_axis"), "", {
      height: 110 + rows.length * 80, font, legend: { ...LEGEND_ABOVE, itemsizing: "constant" },
      yaxis: { tickvals: rows.map((_, at) => y(at)), ticktext: rows.map(({ name }) => name), range: [-0.6, rows.length - 0.4], showgrid: false, rangemode: "normal" },
      xaxis: { rangemode: "tozero", title: { text: say("seconds_axis"), font: { size: font.size } } },
    }),
  };
}
