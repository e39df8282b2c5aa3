// Calls to the server, and the rule by which an expired session is renewed. The tokens live in httpOnly cookies, which
// the browser sends and replaces by itself: nothing here reads, keeps or forwards one.

const REFRESH_PATH = "/auth/session/refresh";
const SIGN_OUT_PATH = "/auth/signout";
const RENEWALS = "supersession-demo.renewals";
const TIMEOUT_MS = 20_000;

/** The server refused a request, or could not serve it. Says nothing about whether the session is alive. */
export class Fault extends Error {
  constructor(message, status = 0, data = null) {
    super(message);
    this.status = status;
    this.data = data;
  }

  /** The server is away or broken, as against: it has understood the request and refuses it. */
  get isOutage() {
    return this.status === 0 || this.status >= 500;
  }
}

/** The server has said that there is no session to renew: the only reason to show somebody as signed out. */
export class SessionEnded extends Error {}

/** `call` after each answer, with `{method, path, status, ms}`; `renewed` after each renewal made by this page. */
export const events = new EventTarget();

const memory = new Map();

/** localStorage, or a stand-in for this page's lifetime where the browser forbids it. Never holds a token. */
export const storage = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return memory.get(key) ?? null;
    }
  },
  set(key, value) {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      memory.set(key, value);
    }
  },
};

const SESSION_FLAG = "supersession-demo.session";

/** Whether this browser believes that it has a session. It changes at each sign-in and sign-out, so tabs can follow. */
export const sessionFlag = {
  key: SESSION_FLAG,
  isSet: () => storage.get(SESSION_FLAG) !== null,
  renew: () => storage.set(SESSION_FLAG, String(Date.now())),
  clear: () => storage.set(SESSION_FLAG, null),
};

/**
 * Calls the app's API and answers with the body of a success; anything else is thrown.
 *
 * A 401 leads to one renewal and one more attempt. Only when the renewal itself is refused has the session ended;
 * `guest` says that the call is worth repeating even then, because it also serves those who are not signed in.
 */
export async function api(method, path, body, { rid = "anti-csrf", guest = false } = {}) {
  const seen = storage.get(RENEWALS);
  let answer = await send(method, path, body, { rid });
  if (answer.status === 401) {
    try {
      // Somebody who never signed in here has nothing to renew, and the server should not be asked to.
      if (answer.message === "unauthorised" && !sessionFlag.isSet()) throw new SessionEnded(answer.message);
      await renewUnlessDoneSince(seen);
    } catch (error) {
      if (!(guest && error instanceof SessionEnded)) throw error;
    }
    answer = await send(method, path, body, { rid });
  }
  return expectSuccess(answer);
}

export async function signIn(name) {
  const answer = await send("POST", "/api/login", { name }, { "st-auth-mode": "cookie", rid: "anti-csrf" });
  const who = expectSuccess(answer);
  sessionFlag.renew();
  return who;
}

export async function signOut() {
  try {
    await api("POST", SIGN_OUT_PATH, undefined, { rid: "session" });
  } catch (error) {
    // Whoever wants to leave and finds the session gone has left.
    if (!(error instanceof SessionEnded)) throw error;
  }
  sessionFlag.clear();
}

let renewing = null;

/**
 * `seen` is the count of renewals before the refused request was sent. If it has moved, another tab or an earlier call
 * has renewed the session in the meantime, and the request only needs to be repeated.
 */
function renewUnlessDoneSince(seen) {
  const isDone = () => storage.get(RENEWALS) !== seen;
  if (isDone()) return Promise.resolve();
  renewing ??= oneTabAtATime(async () => {
    if (isDone()) return;
    const answer = await send("POST", REFRESH_PATH, undefined, { "st-auth-mode": "cookie", rid: "session" });
    if (answer.status === 401) throw new SessionEnded(answer.message);
    expectSuccess(answer);
    storage.set(RENEWALS, String(Number(storage.get(RENEWALS)) + 1));
    events.dispatchEvent(new Event("renewed"));
  }).finally(() => {
    renewing = null;
  });
  return renewing;
}

// The server takes two tabs that refresh at once in its stride; the lock only saves the second call. It is absent on
// plain HTTP under any other name than localhost.
function oneTabAtATime(work) {
  return navigator.locks ? navigator.locks.request("supersession-demo.renew", work) : work();
}

async function send(method, path, body, headers) {
  const started = performance.now();
  const init = { method, headers: { ...headers }, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let status = 0;
  try {
    const response = await fetch(path, init);
    const data = parse(await response.text());
    status = response.status;
    return { ok: response.ok, status, data, message: data?.message };
  } catch (error) {
    throw new Fault(error.name === "TimeoutError" ? "The server did not answer in time." : "The server cannot be reached.");
  } finally {
    const detail = { method, path, status, ms: Math.round(performance.now() - started), renewal: path === REFRESH_PATH };
    events.dispatchEvent(new CustomEvent("call", { detail }));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function expectSuccess({ ok, status, data, message }) {
  if (ok) return data;
  if (status >= 500) throw new Fault(`The server has a problem (${status}).`, status, data);
  if (status === 401) throw new Fault("The server did not accept the renewed session.", status, data);
  throw new Fault(message ?? `The server refused the request (${status}).`, status, data);
}
