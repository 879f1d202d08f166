// Round 4 as it happens: a line for each phone over time, a cross for each 429, a bar for the answer.

import { drawAxis } from "./canvas.js";
import { drawDot } from "./lanes.js";

const SHORTEST = 5; // seconds that the axis shows at least

// A painter of {visits, phones, isOver, now}: `now` is seconds since the round began.
export function createRequests(read) {
  return (pen) => {
    const { visits, phones, isOver, now } = read();
    const latest = Math.max(SHORTEST, ...visits.map(({ sent, refused, first, end }) => end ?? first ?? refused.at(-1) ?? sent), isOver ? 0 : now);
    const pitch = Math.min(30, (pen.height - pen.size - 12) / Math.max(visits.length, 1));
    const left = pitch + 10;
    const toX = (seconds) => left + ((pen.width - left - 14) * seconds) / latest;
    const step = [1, 2, 5, 10, 20, 60, 120].find((each) => latest / each <= 8) ?? 300;
    const ticks = Array.from({ length: Math.floor(latest / step) + 1 }, (_, at) => at * step);
    drawAxis(pen, ticks.map((seconds) => ({ x: toX(seconds), text: `${seconds} s` })));
    visits.forEach((visit, at) => {
      const phone = phones.find(({ number }) => number === visit.number);
      drawVisit(pen, visit, { toX, y: pitch * (at + 0.5), pitch, until: isOver ? latest : now });
      drawDot(pen, { ...phone, number: visit.number }, pitch / 2 + 1, pitch * (at + 0.5), Math.max(pitch / 2 - 1, 2));
    });
    return !isOver;
  };
}

function drawVisit({ context, colour }, { sent, refused, first, end }, { toX, y, pitch, until }) {
  context.fillStyle = colour("soft");
  context.fillRect(toX(sent), y - 0.5, toX(first ?? end ?? until) - toX(sent), 1);
  const height = Math.max(pitch * 0.55, 2);
  context.fillStyle = colour("streamed-ink");
  if (first !== null) context.fillRect(toX(first), y - height / 2, Math.max(toX(end ?? until) - toX(first), 2), height);
  const arm = Math.max(2, Math.min(pitch * 0.28, 7));
  Object.assign(context, { strokeStyle: colour("whole-ink"), lineWidth: arm > 4 ? 3 : 1.5 });
  for (const x of refused.map(toX)) {
    context.beginPath();
    for (const slope of [1, -1]) {
      context.moveTo(x - arm, y - slope * arm);
      context.lineTo(x + arm, y + slope * arm);
    }
    context.stroke();
  }
}
