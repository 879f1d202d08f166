// A teacher's room over the API: opening it, coming back to it after a reload, its events, and what its teacher orders.

import { RefusedError, ask, readEvents } from "../shared/stream.js";

const KEPT = "room"; // in sessionStorage: {code, key} of this tab's room
const RETRY_MS = 1000;

export const isKept = () => sessionStorage.getItem(KEPT) !== null;
export const forget = () => sessionStorage.removeItem(KEPT);

// A new room, {code, key, url, qr, reachable, expires_in}; raises RefusedError.
export async function openRoom(language) {
  const room = await (await ask("/rooms", { method: "POST", body: { language } })).json();
  sessionStorage.setItem(KEPT, JSON.stringify({ code: room.code, key: room.key }));
  return room;
}

// The room that this tab had before a reload; raises RefusedError where it is closed.
export async function resumeRoom() {
  const room = JSON.parse(sessionStorage.getItem(KEPT));
  return (await order(room, "")).json();
}

// A request about a room, with its key.
export const order = ({ code, key }, path, { method = "GET", body, signal } = {}) => (
  ask(`/rooms/${code}${path}`, { method, body, signal, headers: { "X-Room-Key": key } }));

// Calls `onEvent(name, data)` for each event until the room is closed, and `onLine(isUp)` when the line is lost and back. After
// a lost line the first event is a `state`, which replaces all. Raises RefusedError where the room is gone.
export async function followRoom(room, { onEvent, onLine, signal }) {
  for (;;) {
    try {
      const response = await order(room, "/events", { signal });
      onLine(true);
      for await (const { name, data } of readEvents(response)) {
        if (!name || name === "ping") continue;
        onEvent(name, JSON.parse(data));
        if (name === "closed") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const isLost = error instanceof TypeError || (error instanceof RefusedError && error.status >= 500);
      if (!isLost) throw error;
    }
    onLine(false);
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
  }
}
