// What the projector shows of a room: its events folded into one value. Pure.

const NEW_ROUND = { text: "", tokens: 0, positions: [], isOver: false, answers: null, stops: null, requests: [] };

// Before the first event.
export const EMPTY = { present: 0, joined: 0, phones: [], round: null, results: [], ...NEW_ROUND };

const FOLDS = {
  state(view, { given, of, finish, positions, stops, ...state }) {
    const answers = of === undefined ? null : { given, of };
    return { ...state, positions: positions ?? [], stops: stops ?? null, isOver: finish != null, answers };
  },
  phones: ({ phones: before }, { present, joined, phones = before }) => ({ present, joined, phones }),
  round: ({ round: before }, round) => ({ ...(before?.number === round.number ? {} : NEW_ROUND), round }),
  text: ({ text: before }, { text, tokens }) => ({ text: before + text, tokens }),
  positions: (view, { at }) => ({ positions: at }),
  end: (view, { tokens }) => ({ isOver: true, tokens }),
  answers: (view, { given, of }) => ({ answers: { given, of } }),
  stops: (view, stops) => ({ stops }),
  request: ({ requests }, request) => ({ requests: [...requests, request] }),
  results: ({ results: before }, results) => ({ results: [...before, results] }),
};

// The view after an event; one that this page does not know changes nothing.
export const fold = (view, name, data) => ({ ...view, ...FOLDS[name]?.(view, data) });

// The phones of a round, each with its arm and the tokens that it has.
export function listRunners({ phones, positions }) {
  const tokens = new Map(positions.map(([number, received]) => [number, received]));
  return phones.filter(({ number, arm }) => arm && tokens.has(number)).map((phone) => ({ ...phone, tokens: tokens.get(phone.number) }));
}

// The requests of round 4 by phone: {number, sent, refused: [seconds], first, end}, in seconds since the round began.
export function listVisits({ requests }) {
  const visits = new Map();
  for (const { phone, event, seconds } of requests) {
    if (!visits.has(phone)) visits.set(phone, { number: phone, sent: seconds, refused: [], first: null, end: null });
    const visit = visits.get(phone);
    if (event === "retry") Object.assign(visit, { first: null, end: null }); // also after a line that broke off
    else if (event === "refused") visit.refused.push(seconds);
    else if (event === "first_token") visit.first = seconds;
    else if (event === "ended") visit.end = seconds;
  }
  return [...visits.values()].sort((one, other) => one.number - other.number);
}

// {served, refused, retries} of round 4 so far.
export function countRequests({ requests }) {
  const count = (...names) => requests.filter(({ event, left }) => names.includes(event) && !left).length;
  return { served: count("ended"), refused: count("refused"), retries: count("retry") };
}
