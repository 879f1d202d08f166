// Values as text: JSON, gzip, base64. A run in a link is packed as the server packs it, with the letters of base64url.

export async function pack(value) {
  const bytes = await pass(new TextEncoder().encode(JSON.stringify(value)), new CompressionStream("gzip"));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(await pass(bytes, new DecompressionStream("gzip"))));
}

async function pass(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

export async function writeFragment(trace) {
  return `trace=${(await pack(trace)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

// The run of an address's fragment; null where it holds none, an Error where it was cut off or changed.
export async function readFragment(fragment) {
  const text = new URLSearchParams(fragment).get("trace");
  if (text === null) return null;
  try {
    return await unpack(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new Error("The link to this recorded run was cut off or changed: copy it again, whole.");
  }
}
