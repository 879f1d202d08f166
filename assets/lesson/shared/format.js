// Durations, counts and rates as text, by the rules of constants.json.

import constants from "../../constants.js";

export const MISSING = constants.missing;

// "72 ms", "1.24 s", "12.4 s"
export function formatSeconds(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return MISSING;
  const { scale, digits, unit } = constants.durations.find(({ below = Infinity }) => seconds < below);
  return `${(seconds * scale).toFixed(digits)} ${unit}`;
}

// "120 ms", "120 to 140 ms", "120 ms to 1.24 s"
export function formatRange(seconds) {
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)].map(formatSeconds);
  if (least === most) return least;
  return `${least.split(" ")[1] === most.split(" ")[1] ? least.split(" ")[0] : least} to ${most}`;
}

export const formatCount = (count) => (count == null ? MISSING : count.toLocaleString("en-US"));
export const formatRate = (rate) => (rate == null ? MISSING : rate.toFixed(1));
export const formatPlural = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
