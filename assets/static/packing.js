// Values as text: JSON, gzip, base64. A run in a link is packed as the server packs it, with the letters of base64url.

import { decode, encode } from "../lesson/shared/base64url.js";

export async function unpack(text) {
  return JSON.parse(new TextDecoder().decode(await pass(decode(text), new DecompressionStream("gzip"))));
}

async function pass(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

export async function writeFragment(trace) {
  return `trace=${encode(await pass(new TextEncoder().encode(JSON.stringify(trace)), new CompressionStream("gzip")))}`;
}

// The run of an address's fragment; null where it holds none, an Error where it was cut off or changed.
export async function readFragment(fragment) {
  const text = new URLSearchParams(fragment).get("trace");
  if (text === null) return null;
  try {
    return await unpack(text);
  } catch {
    throw new Error("The link to this recorded run was cut off or changed: copy it again, whole.");
  }
}
