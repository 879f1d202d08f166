// Gradio's event stream, watched. Gradio's client does not notice a stream that ends too early, and answers a broken one by
// reloading the page, which loses its text: both are hidden from it. So is a server that has no place for this tab yet, which
// is asked again until it has. This must run before the client opens its stream.

const LISTENERS = /\/gradio_api\/(queue\/join|run\/predict)$/;

export const eventStream = { broken: false, lastMessage: 0, onBroken: () => {}, onRefused: () => {} };

const originalFetch = window.fetch;

window.fetch = async (resource, options) => {
  const { pathname } = new URL(resource.url ?? resource, document.baseURI);
  if (pathname.endsWith("/gradio_api/app_id")) { // asked before a reload, after a request that failed
    reportBroken();
    throw new TypeError("The page is not reloaded, since its text would be lost.");
  }
  if (LISTENERS.test(pathname)) return askUntilAccepted(resource, options);
  const response = await originalFetch(resource, options);
  if (!pathname.endsWith("/gradio_api/queue/data") || !response.ok) return response;
  return new Response(watchBody(response.body.getReader()), response);
};

// `onRefused` is called with the server's sentence at each refusal, and with none when there is a place.
async function askUntilAccepted(resource, options) {
  for (let refused = false; ; refused = true) {
    const response = await originalFetch(resource.clone?.() ?? resource, options);
    const seconds = Number(response.headers.get("Retry-After"));
    if (response.status !== 503 || !seconds) {
      if (refused) eventStream.onRefused("");
      return response;
    }
    eventStream.onRefused((await response.json()).detail);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

function reportBroken() {
  eventStream.broken = true;
  eventStream.onBroken();
}

// The same body; where it ends without a closing message, or breaks, it stays open.
function watchBody(reader) {
  let closing = false;
  const decoder = new TextDecoder();
  return new ReadableStream({
    async pull(controller) {
      const { value } = await reader.read().catch(() => ({}));
      if (value) {
        eventStream.lastMessage = performance.now();
        closing = decoder.decode(value).includes('"close_stream"');
        controller.enqueue(value);
      } else if (closing) {
        controller.close();
      } else {
        reportBroken();
        await new Promise(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
