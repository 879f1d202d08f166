// A phone's line to its room: joining, its events, and what it sends. It comes back by itself after sleep or a lost network.
// Knows no words and nothing of what is shown. A plain script for old browsers: it sets `window.roomLine`.

window.roomLine = (() => {
  const EVENTS = ["state", "round", "text", "end", "stopped", "results", "closed", "ping"];
  const RETRY_MS = 2000;
  const QUIET_MS = 40000; // the server says something every 15 s
  const ASLEEP_MS = 3000; // hidden for so long, a phone may have lost its line without a sign

  // What the browser keeps for a room; nothing where storage is closed to the page.
  const kept = {
    read(code) {
      try { return JSON.parse(localStorage.getItem(`room-${code}`)); } catch (error) { return null; }
    },
    write(code, me) {
      try { localStorage.setItem(`room-${code}`, JSON.stringify(me)); } catch (error) { /* then a reload joins anew */ }
    },
    forget(code) {
      try { localStorage.removeItem(`room-${code}`); } catch (error) { /* there is nothing to forget */ }
    },
  };

  // Calls `done(status, reply, request)`; status 0 where the server was not reached.
  function send(method, path, body, done) {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.setRequestHeader("Content-Type", "application/json");
    request.onload = () => done(request.status, parse(request.responseText), request);
    request.onerror = () => done(0, {}, request);
    request.send(body === null ? null : JSON.stringify(body));
    return request;
  }

  function parse(text) {
    try { return JSON.parse(text); } catch (error) { return {}; }
  }

  // `on` has a function for each of EVENTS but `ping`, and `joined(me)`, `refused(status, retryAfter)`, `line(isUp)`.
  return function createLine(code, on) {
    const room = `../rooms/${encodeURIComponent(code)}`; // beside the page at room/CODE
    let [me, source, heard, hiddenAt, isOver, retry, pings] = [null, null, Date.now(), null, false, null, false];
    const own = () => `${room}/phones/${encodeURIComponent(me.phone)}`;

    function join() {
      if (isOver) return;
      me = kept.read(code);
      if (me) { on.joined(me); open(); return; }
      send("POST", `${room}/phones`, {}, (status, reply, request) => {
        if (status === 201) {
          me = reply;
          kept.write(code, me);
          on.joined(me);
          open();
        } else if (status === 0 || status >= 500) later(join);
        else on.refused(status, Number(request.getResponseHeader("Retry-After")) || 0);
      });
    }

    // At most one attempt waits.
    function later(attempt) {
      on.line(false);
      clearTimeout(retry);
      retry = setTimeout(attempt, RETRY_MS);
    }

    function open() {
      if (source) source.close();
      clearTimeout(retry);
      heard = Date.now();
      const current = source = new EventSource(`${own()}/events`);
      for (const name of EVENTS) {
        current.addEventListener(name, ({ data }) => {
          heard = Date.now();
          if (name === "ping") pings = true;
          if (name === "closed") leave();
          if (on[name]) on[name](JSON.parse(data));
        });
      }
      current.onopen = () => { if (current === source) on.line(true); };
      current.onerror = () => {
        if (current !== source || isOver) return;
        on.line(false); // EventSource tries again by itself, unless the server answered with an error
        if (current.readyState === EventSource.CLOSED) later(check);
      };
    }

    // Whether the room still knows this phone.
    function check() {
      send("GET", own(), null, (status) => {
        if (status === 200) open();
        else if (status === 404) { kept.forget(code); join(); }
        else later(check);
      });
    }

    function leave() {
      isOver = true;
      kept.forget(code);
      if (source) source.close();
      on.line(true);
    }

    const reopen = () => { if (me && !isOver) open(); };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) hiddenAt = Date.now();
      else if (hiddenAt !== null && Date.now() - hiddenAt > ASLEEP_MS) reopen();
    });
    window.addEventListener("online", reopen);
    window.addEventListener("offline", () => { if (!isOver) on.line(false); });
    window.addEventListener("pageshow", ({ persisted }) => { if (persisted) reopen(); });
    setInterval(() => { if (pings && !document.hidden && Date.now() - heard > QUIET_MS) reopen(); }, 5000);

    return {
      join,
      // What its owner has said, which no server tells again: answers by round, and the language.
      keep(values) {
        Object.assign(me, values);
        kept.write(code, me);
      },
      answer: (body, done) => send("POST", `${own()}/answers`, body, done),
      stop: (round, done) => send("POST", `${own()}/stop`, { round }, done),
      // A request of round 4: `onEvent(event)` for each event of its stream, then `done(status, reply, request)`.
      ask(round, onEvent, done) {
        let read = 0;
        const request = send("POST", `${own()}/requests`, { round }, done);
        request.onprogress = () => {
          if (request.status !== 200) return;
          const end = request.responseText.lastIndexOf("\n\n");
          const events = request.responseText.slice(read, Math.max(end, read)).split("\n\n");
          read = Math.max(end, read);
          for (const event of events) if (event.trim().slice(0, 5) === "data:") onEvent(parse(event.trim().slice(5)));
        };
        return request;
      },
    };
  };
})();
