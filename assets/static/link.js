// A run in a link, as the server writes and reads it: JSON, gzip, base64url.

const encoder = new TextEncoder();

export async function writeFragment(trace) {
  const packed = await pass(encoder.encode(JSON.stringify(trace)), new CompressionStream("gzip"));
  const text = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return `trace=${text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

// The run of an address's fragment; null where it holds none, an Error where it was cut off or changed.
export async function readFragment(fragment) {
  const text = new URLSearchParams(fragment).get("trace");
  if (text === null) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(await pass(bytes, new DecompressionStream("gzip"))));
  } catch {
    throw new Error("The link to this recorded run was cut off or changed: copy it again, whole.");
  }
}

async function pass(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
