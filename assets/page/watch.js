// Whether this page's server can be reached. Gradio's client does not notice an event stream that ends too early, and to
// one that breaks it answers by reloading the page once the server is back, upon which the text is gone: it is told of
// neither. A server that falls silent in mid-answer is asked whether it is there.
// This script stands in the page's head, for it has to be there before Gradio's client opens its event stream.
"use strict";

window.tokenStreaming = (() => {
  const SILENCE_MS = 1200; // in mid-answer, until the server is asked
  const PATIENCE_MS = 1000; // for its reply
  const LOOK_MS = 250;
  const AGAIN_MS = 1000; // between two looks whether it is back

  let [broken, heard] = [false, 0]; // whether the event stream has gone; when something of it last came
  let breaking = () => {}; // what is done when it goes
  guardStreams(() => { heard = performance.now(); }, () => { broken = true; breaking(); });

  // Calls `onLost()` when the connection is lost, and `onBack(broken)` when the server can be reached again. `broken`: the
  // event stream has gone, so that only a reload brings the page back.
  function watchConnection({ isRacing, onLost, onBack }) {
    let lost = false;

    async function look() {
      const silent = performance.now() - heard > SILENCE_MS;
      if (!lost && silent && isRacing() && !document.hidden) {
        if (!(await isReachable())) lose();
        heard = performance.now();
      }
      setTimeout(look, LOOK_MS);
    }

    async function lose() {
      if (lost) return;
      lost = true;
      onLost();
      while (!(await isReachable())) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      lost = false;
      onBack(broken);
    }

    breaking = lose;
    if (broken) lose();
    look();
  }

  // A file is asked for, not /health: that says 503 while the model loads. A proxy whose server has gone answers with an error.
  async function isReachable() {
    try {
      const options = { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) };
      return (await fetch(new URL("page/components.js", document.baseURI), options)).ok;
    } catch {
      return false;
    }
  }

  // Gradio's requests from now on: `onHeard` with each piece of its event stream, `onBroken` when that ends too early.
  function guardStreams(onHeard, onBroken) {
    const own = window.fetch;
    window.fetch = async (resource, options) => {
      const { pathname } = new URL(resource.url ?? resource, document.baseURI);
      // What it asks in order to reload, after a request that failed.
      if (pathname.endsWith("/gradio_api/app_id")) {
        onBroken();
        throw new TypeError("The page is not reloaded: its text would be gone.");
      }
      const response = await own(resource, options);
      if (!pathname.endsWith("/gradio_api/queue/data") || !response.ok) return response;
      return new Response(passOn(response.body.getReader(), onHeard, onBroken), response);
    };
  }

  // What `reader` reads; but where it ends without the word for it, or breaks, this stays open.
  function passOn(reader, onHeard, onBroken) {
    let closing = false;
    const decoder = new TextDecoder();
    return new ReadableStream({
      async pull(controller) {
        const { value } = await reader.read().catch(() => ({}));
        if (value) {
          onHeard();
          closing = decoder.decode(value).includes('"close_stream"');
          controller.enqueue(value);
        } else if (closing) {
          controller.close();
        } else {
          onBroken();
          await new Promise(() => {});
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  return { watchConnection };
})();
