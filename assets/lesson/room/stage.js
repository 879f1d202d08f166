// The round that is under way: what it is, who has answered, and the phones as they receive the answer.

import { keepEndInSight } from "../shared/dom.js";
import { createCanvas, takePicture } from "./canvas.js";
import { createLanes } from "./lanes.js";
import { createRequests } from "./requests.js";
import { countRequests, listRunners, listVisits } from "./view.js";

const ARMS = ["streamed", "whole"];

export function createStage(find, words) {
  const { say } = words;
  const canvas = find("canvas");
  let view = null;
  let begun = null; // when the round began, on this browser's clock in milliseconds: the requests' seconds count from there
  const armsOf = ({ kind }) => (kind === "stop" ? ["streamed"] : ARMS);
  const lanes = createLanes(() => ({ runners: listRunners(view), arms: armsOf(view.round), length: lengthOf(view) }), say);
  const requests = createRequests(() => ({
    visits: listVisits(view), phones: view.phones, isOver: view.round.phase === "ended", now: (performance.now() - begun) / 1000,
  }));
  const isDrawn = () => view?.round && view.round.phase !== "predicting";
  const request = createCanvas(canvas, (pen, seconds) => {
    if (!isDrawn()) return false;
    return view.round.kind === "crowd" ? requests(pen) : lanes(pen, seconds);
  });

  function show(next) {
    const latest = next.requests.at(-1);
    if (next.round?.number !== view?.round?.number) begun = performance.now();
    if (latest && latest !== view?.requests.at(-1)) begun = Math.min(begun, performance.now() - 1000 * latest.seconds);
    view = next;
    const { round } = view;
    const isVisible = isDrawn() && (round.phase !== "ended" || ["stop", "crowd"].includes(round.kind));
    find("now").hidden = !isVisible && (!round || round.phase === "ended");
    if (!round) return;
    write(find("headline"), describePhase(round, say));
    write(find("asks"), round.phase === "ended" ? "" : round.prompt);
    write(find("counts"), describeCounts(view, say));
    write(find("legend"), describeLegend(round, say));
    canvas.hidden = find("legend").hidden = !isVisible;
    canvas.setAttribute("aria-label", describeStage(view, say));
    showText(find("text"), view, say);
    request();
  }

  return { show, hasPicture: () => Boolean(view?.round) && !canvas.hidden, takePicture: () => takePicture(canvas) };
}

const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// A run that ended by itself was as long as it is; the axis ends there.
const lengthOf = ({ round, isOver, tokens }) => (isOver && tokens ? tokens : round.max_new_tokens);

function describePhase({ kind, phase }, say) {
  if (phase === "predicting") return say("predicting");
  if (phase === "guessing") return say("guessing");
  if (phase === "ended") return "";
  return say({ stop: "running_stop", crowd: "running_crowd" }[kind] ?? "running");
}

// What is recorded or slowed says so.
function describeLegend({ kind, recorded, tokens_per_second: pace }, say) {
  const parts = [say(kind === "crowd" ? "stage_requests" : "positions")];
  if (pace) parts.push(say("slowed", { pace }));
  if (recorded) parts.push(say("is_recorded"));
  return parts.join(" ");
}

function describeCounts(view, say) {
  const { round, answers, stops } = view;
  if (round.kind === "crowd") return say("requests", countRequests(view));
  if (round.kind === "stop" && stops) return say("stops", { stopped: stops.stopped, tokens: stops.tokens_saved, seconds: stops.seconds_saved });
  if (["predicting", "guessing"].includes(round.phase) && answers) return say("given", answers);
  return "";
}

function describeStage({ round, phones }, say) {
  const count = (arm) => phones.filter((phone) => phone.arm === arm).length;
  if (round.kind === "crowd") return say("stage_requests");
  return say("stage_label", { streamed: say("streamed"), m: count("streamed"), whole: say("whole"), n: count("whole") });
}

// Where everybody sees the text arrive, the projector shows it too. In a race it would tell those who wait.
function showText(host, { round, text }, say) {
  host.hidden = round.kind !== "stop" || round.phase !== "running" || !text;
  host.setAttribute("aria-label", say("answer"));
  if (!host.hidden) keepEndInSight(host, () => write(host, text));
}
