// The phones of a round in two lanes: across, the tokens that each has received. Streamed phones move, whole ones wait.

import "../../room/words.js";
import { drawAxis } from "./canvas.js";

const SETTLE_SECONDS = 0.12; // in which a dot makes most of its way to where its phone is
const STILL = 0.3; // pixels
const PADDING = 12; // pixels, before the lanes' names
const { COLOURS } = window.roomWords;

// A painter of {runners, arms, length, isOver}; `say` writes the lanes' names. It remembers where each dot is.
export function createLanes(read, say) {
  const places = new Map(); // by phone: x
  return (pen, seconds) => {
    const { runners, arms, length } = read();
    const lanes = arms.map((arm, at) => createLane(pen, arm, at, arms.length, runners.filter((each) => laneOf(each, arms) === arm)));
    const left = PADDING + 24 + Math.max(...lanes.map(({ arm }) => measure(pen, say(arm)))) + Math.max(...lanes.map(({ columns, pitch }) => columns * pitch));
    const toX = (tokens) => left + (pen.width - left - 16 - lanes[0].radius) * Math.min(tokens / length, 1);
    const ticks = [0, 1, 2, 3, 4].map((part) => Math.round((length * part) / 4));
    drawAxis(pen, ticks.map((tokens) => ({ x: toX(tokens), text: String(tokens) })));
    const moves = lanes.map((lane) => drawLane(pen, lane, { toX, places, seconds, say }));
    return moves.some(Boolean);
  };
}

// A phone that has stopped stays in the lane of the streamed.
const laneOf = ({ arm }, arms) => (arms.includes(arm) ? arm : arms[0]);

function createLane(pen, arm, at, count, runners) {
  const axis = pen.size + 10;
  const height = (pen.height - axis) / count;
  const inner = height - 16;
  const pitch = Math.max(8, Math.min(34, Math.sqrt((inner * Math.min(pen.width * 0.2, 260)) / Math.max(runners.length, 1)), inner));
  const rows = Math.max(1, Math.min(Math.floor(inner / pitch), runners.length || 1));
  return { arm, runners, top: at * height, height, pitch, rows, radius: pitch / 2 - 1, columns: Math.ceil(runners.length / rows) };
}

function measure({ context, font, size }, text) {
  context.font = font(size, 650);
  return context.measureText(text).width;
}

// Returns whether a dot of it is still on its way.
function drawLane(pen, lane, { toX, places, seconds, say }) {
  const { context, colour, font, size, width } = pen;
  const { arm, top, height, runners, pitch, rows } = lane;
  context.fillStyle = colour("line");
  context.fillRect(0, top + height, width, 1);
  context.fillStyle = colour(`${arm}-ink`);
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.font = font(size, 650);
  context.fillText(say(arm), PADDING, top + height / 2 - size * 0.6);
  context.font = font(size * 0.85);
  context.fillText(`n = ${runners.length}`, PADDING, top + height / 2 + size * 0.7);
  const first = top + (height - (rows - 1) * pitch) / 2;
  const moves = runners.map((phone, at) => {
    const goal = toX(phone.tokens) - Math.floor(at / rows) * pitch;
    const from = places.get(phone.number) ?? toX(0) - Math.floor(at / rows) * pitch;
    const x = goal + (from - goal) * Math.exp(-seconds / SETTLE_SECONDS);
    places.set(phone.number, x);
    drawTrail(pen, arm, toX(0), x, first + (at % rows) * pitch);
    drawDot(pen, phone, x, first + (at % rows) * pitch, lane.radius);
    return Math.abs(goal - x) > STILL;
  });
  return moves.some(Boolean);
}

function drawTrail({ context, colour }, arm, from, to, y) {
  if (to <= from) return;
  context.globalAlpha = 0.35;
  context.fillStyle = colour(`${arm}-ink`);
  context.fillRect(from, y - 1, to - from, 2);
  context.globalAlpha = 1;
}

// A phone's badge, as the phone shows it; a ring once it has stopped.
export function drawDot({ context, colour, font }, { number, colour: name, stopped }, x, y, radius) {
  const [ground, ink] = COLOURS[name] ?? COLOURS.grey;
  context.beginPath();
  context.arc(x, y, radius - (stopped ? 1.5 : 0), 0, 2 * Math.PI);
  context.fillStyle = stopped ? colour("sheet") : ground;
  context.fill();
  if (stopped) Object.assign(context, { strokeStyle: ground, lineWidth: 3 });
  if (stopped) context.stroke();
  if (radius < 8) return;
  context.fillStyle = stopped ? colour("ink") : ink;
  context.font = font(radius * (number < 100 ? 1 : 0.75), 700);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(number), x, y + 0.5);
}
