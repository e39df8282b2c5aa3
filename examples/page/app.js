// The page itself: which view is shown, what each button does. Talking to the server is api.js's business.

import { api, events, Fault, SessionEnded, sessionFlag, signIn, signOut, storage } from "./api.js";

const THEME = "supersession-demo.theme";
const LOG_LENGTH = 12;
const CHAIN_LENGTH = 10;

const ENDED = {
  bySelf: { text: "You have signed out.", kind: "ok" },
  revoked: { text: "You have revoked this session, and are signed out.", kind: "ok" },
  inOtherTab: { text: "You signed out in another tab.", kind: "ok" },
  elsewhere: { text: "Your session has ended. It was revoked from elsewhere, or it ran out. Sign in to go on.", kind: "warn" },
  theft: { text: "Your session has ended, because one of its refresh tokens was used twice. Sign in to go on.", kind: "warn" },
};

const $ = (id) => document.getElementById(id);

let view = "loading";
let me = null;
let metadata = {};
let renewals = 0;
let meIsStale = false;
let tokenLifetime = 1;

// Before anything else, so that the first paint has the right colours; api/metadata confirms it later.
applyTheme(storage.get(THEME));

// ---------------------------------------------------------------------------------------------------------- small tools

function element(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset);
  node.append(...children);
  return node;
}

function showJson(target, value) {
  // Every odd part is a token, because the pattern is one capturing group.
  const parts = JSON.stringify(value, null, 2).split(/("(?:\\.|[^"\\])*"(?:\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*)/);
  const kind = (token) => (token.endsWith(":") ? "key" : token.startsWith('"') ? "text" : "literal");
  const show = (part, index) => (index % 2 ? element("span", { className: `json-${kind(part)}`, textContent: part }) : part);
  target.replaceChildren(...parts.map(show));
}

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1_000]];

function showTime(target, epoch) {
  target.dateTime = new Date(epoch).toISOString();
  target.textContent = absolute.format(epoch);
}

function fromNow(epoch) {
  const span = epoch - Date.now();
  const [unit, size] = UNITS.find(([, size]) => Math.abs(span) >= size) ?? UNITS.at(-1);
  return relative.format(Math.trunc(span / size), unit);
}

function clock(span) {
  const seconds = Math.ceil(span / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function parseObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Fault(`This is not JSON: ${error.message}`, 400);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Fault("This must be a JSON object.", 400);
  return value;
}

const jsonOrText = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

// ---------------------------------------------------------------------------------------------------- status and views

function say(text, kind = "ok") {
  // A new node restarts the fading of a success that is said twice in a row.
  $("status").replaceChildren(text ? element("span", { textContent: text, dataset: { kind } }) : "");
}

function notify(notice) {
  $("notice").textContent = notice?.text ?? "";
  $("notice").dataset.kind = notice?.kind ?? "";
}

function show(name) {
  view = name;
  for (const each of ["loading", "signed-out", "signed-in"]) $(`view-${each}`).hidden = each !== name;
  $("bar-user").hidden = name !== "signed-in";
  $("feed-section").hidden = name === "loading";
}

function applyTheme(theme) {
  const chosen = theme === "light" || theme === "dark" ? theme : null;
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  return chosen;
}

/** Runs what a control stands for: one at a time, with its errors in its form and in the status line. */
async function run(control, work) {
  if (control.getAttribute("aria-busy") === "true") return;
  // Not `disabled`, which would take the keyboard focus away.
  control.setAttribute("aria-busy", "true");
  say("");
  const errorLine = control.closest("form")?.querySelector(".error");
  if (errorLine) errorLine.textContent = "";
  try {
    const done = await work();
    if (view === "signed-in") await catchUp();
    if (done) say(done);
  } catch (error) {
    if (error instanceof SessionEnded) await leave(whyEnded(error));
    else showFault(error, errorLine);
  } finally {
    control.removeAttribute("aria-busy");
  }
}

function showFault(error, errorLine) {
  if (!(error instanceof Fault)) throw error;
  if (errorLine && error.status === 400) errorLine.textContent = error.message;
  say(error.isOutage && view === "signed-in" ? `${error.message} You are still signed in.` : error.message, "bad");
}

const whyEnded = (error) => (error.message === "token theft detected" ? ENDED.theft : ENDED.elsewhere);

// -------------------------------------------------------------------------------------------------- start, enter, leave

/** Finds out who is signed in. Also run when another tab signs in or out, and when the browser restores an old page. */
async function start() {
  const wasSignedIn = view === "signed-in";
  const before = me?.handle;
  try {
    await readMe();
    if (before && before !== me.handle) forget();
    await enter();
  } catch (error) {
    if (error instanceof SessionEnded) {
      if (sessionFlag.isSet()) return leave(whyEnded(error));
      return leave(wasSignedIn ? ENDED.inOtherTab : null);
    }
    showFault(error);
    if (wasSignedIn) return;
    // Not knowing is not the same as signed out.
    show("loading");
    $("loading-text").textContent = error.message;
    $("retry").hidden = false;
  }
}

async function enter() {
  const wasSignedIn = view === "signed-in";
  if (!sessionFlag.isSet()) sessionFlag.renew();
  let fault = null;
  try {
    await together(readData(), readMetadata(), readSessions(), readFeed());
    await catchUp();
  } catch (error) {
    if (error instanceof SessionEnded) throw error;
    fault = error;
  }
  notify(null);
  say("");
  show("signed-in");
  if (!wasSignedIn) $("greeting").focus();
  if (fault) showFault(fault);
}

async function leave(why) {
  const wasSignedIn = view === "signed-in";
  sessionFlag.clear();
  forget();
  me = null;
  say("");
  show("signed-out");
  if (wasSignedIn) document.querySelector("#view-signed-out h1").focus();
  notify(why);
  await readFeed().catch((error) => showFault(error));
}

/** Nothing of one person is left behind for the next one at this browser. */
function forget() {
  metadata = {};
  storage.set(THEME, applyTheme(null));
  for (const form of document.forms) form.reset();
  for (const node of document.querySelectorAll(".error, .json, #sessions, #admin-result, #log")) node.replaceChildren();
}

/** Waits for all reads, so that one fault does not hide that another answer ended the session. */
async function together(...reads) {
  const failures = (await Promise.allSettled(reads)).filter((each) => each.status === "rejected").map((each) => each.reason);
  if (failures.length) throw failures.find((each) => each instanceof SessionEnded) ?? failures[0];
}

// ------------------------------------------------------------------------------------------------------ reading, showing

async function readMe() {
  const fresh = await api("GET", "/api/me");
  meIsStale = false;
  if (fresh.accessTokenExpiry !== me?.accessTokenExpiry) {
    const issued = fresh.payload.iat ? fresh.payload.iat * 1000 : Date.now();
    tokenLifetime = Math.max(fresh.accessTokenExpiry - issued, 1000);
  }
  me = fresh;
  const roles = me.payload["st-role"]?.v ?? [];
  $("user-id").textContent = $("bar-name").textContent = me.userId;
  $("avatar").textContent = [...me.userId][0]?.toUpperCase() ?? "?";
  $("tenant-id").textContent = me.tenantId;
  $("session-handle").textContent = me.handle;
  $("roles").replaceChildren(...(roles.length ? roles.map((role) => element("span", { className: "badge", textContent: role })) : ["none"]));
  showTime($("session-expiry"), me.expiry);
  showTime($("access-expiry"), me.accessTokenExpiry);
  showJson($("payload-json"), me.payload);
  tick();
}

/** This page or another tab may have renewed the session since: show the token that is in force now. */
async function catchUp() {
  if (meIsStale || Date.now() >= me.accessTokenExpiry) await readMe();
}

async function readData() {
  showJson($("data-json"), await api("GET", "/api/session-data"));
}

async function readMetadata() {
  showMetadata(await api("GET", "/api/metadata"));
}

function showMetadata(fresh) {
  metadata = fresh;
  const { theme, newsletter } = metadata.preferences ?? {};
  storage.set(THEME, applyTheme(theme));
  $("theme").value = theme === "light" || theme === "dark" ? theme : "system";
  $("newsletter").checked = newsletter === true;
  $("first-name").value = metadata.first_name ?? "";
  $("greeting").textContent = `Hello, ${metadata.first_name || me.userId}`;
  showJson($("metadata-json"), metadata);
}

async function readSessions() {
  const sessions = await api("GET", "/api/sessions");
  sessions.sort((a, b) => Number(b.current) - Number(a.current) || b.timeCreated - a.timeCreated);
  $("sessions").replaceChildren(...sessions.map(sessionRow));
}

function sessionRow({ handle, timeCreated, expiry, current }) {
  const created = element("time", { title: absolute.format(timeCreated), textContent: fromNow(timeCreated) });
  const expires = element("time", { title: absolute.format(expiry), textContent: fromNow(expiry) });
  created.dateTime = new Date(timeCreated).toISOString();
  expires.dateTime = new Date(expiry).toISOString();
  const button = element("button", { type: "button", className: "danger", textContent: "Revoke" });
  button.setAttribute("aria-label", current ? "Revoke this session" : `Revoke session ${handle}`);
  button.addEventListener("click", () => run(button, () => revoke(handle, current)));
  const name = element("div", { className: "session-name" }, element("code", { textContent: handle, title: handle }));
  if (current) name.append(element("span", { className: "badge", textContent: "this one" }));
  const times = element("p", { className: "hint" }, "Signed in ", created, ", expires ", expires);
  return element("li", { dataset: { handle, current: String(current) } }, element("div", {}, name, times), button);
}

async function readFeed() {
  const feed = await api("GET", "/api/feed", undefined, { guest: true });
  $("feed-reader").textContent = feed.userId ?? "a guest";
  const item = ({ title, text }) => element("li", {}, element("h3", { textContent: title }), element("p", { textContent: text }));
  $("feed").replaceChildren(...feed.items.map(item));
}

function tick() {
  if (!me) return;
  const left = Math.max(me.accessTokenExpiry - Date.now(), 0);
  const set = (node, text) => node.textContent === text || (node.textContent = text);
  $("token-card").dataset.state = left ? "valid" : "expired";
  set($("token-state"), left ? "valid" : "expired");
  set($("access-countdown"), left ? clock(left) : "The next call renews it");
  $("access-meter").style.width = `${Math.min((100 * left) / tokenLifetime, 100)}%`;
}

function showRenewals() {
  $("renew-count").textContent = renewals;
  // One link for the first token and one for each that superseded it.
  const links = Array.from({ length: Math.min(renewals + 1, CHAIN_LENGTH) }, () => element("li"));
  $("chain").replaceChildren(...links);
}

function logCall({ method, path, status, ms, renewal }) {
  const kind = status === 0 || status >= 500 ? "bad" : status >= 400 ? "warn" : "ok";
  const entry = element("li", { dataset: { kind, renewal: String(renewal) } },
    element("span", { className: "method", textContent: method }),
    element("span", { className: "path", textContent: path, title: path }),
    element("span", { className: "code", textContent: status || "no answer" }),
    element("span", { className: "ms", textContent: `${ms} ms` }));
  $("log").prepend(entry);
  while ($("log").children.length > LOG_LENGTH) $("log").lastChild.remove();
}

// --------------------------------------------------------------------------------------------------------------- actions

async function revoke(handle, current) {
  await api("DELETE", `/api/sessions/${encodeURIComponent(handle)}`);
  if (current) {
    await signOut();
    return leave(ENDED.revoked);
  }
  await readSessions();
  return "That session is revoked.";
}

async function writeData(method, said) {
  showJson($("data-json"), await api(method, "/api/session-data", parseObject($("data-editor").value)));
  return said;
}

async function mergePayload() {
  const value = $("payload-value").value.trim();
  await api("PATCH", "/api/payload", { [$("payload-key").value.trim()]: jsonOrText(value) });
  await readMe();
  return "The payload is merged; you hold a new access token.";
}

async function saveMetadata() {
  const patch = {
    first_name: $("first-name").value.trim() || null,
    // Merging replaces nested objects whole, so preferences that this form does not know must be sent along.
    preferences: { ...metadata.preferences, theme: $("theme").value, newsletter: $("newsletter").checked },
  };
  showMetadata(await api("PATCH", "/api/metadata", patch));
  return "Saved. It will be here at your next sign-in, too.";
}

async function openAdmin() {
  const result = $("admin-result");
  result.replaceChildren();
  try {
    const answer = await api("GET", "/api/admin");
    const pre = element("pre", { className: "json", tabIndex: 0 });
    showJson(pre, answer);
    result.append(element("p", { className: "callout", dataset: { kind: "ok" }, textContent: answer.message ?? "You are in." }), pre);
  } catch (error) {
    if (error.status !== 403) throw error;
    const errors = error.data?.claimValidationErrors ?? [];
    result.append(element("div", { className: "callout", dataset: { kind: "bad" } },
      element("p", {}, element("strong", { textContent: "403: not for you. " }), "The server checked the claims in your access token:"),
      element("ul", {}, ...errors.map(claimError))));
  }
}

function claimError({ id, reason }) {
  const { message, ...facts } = reason !== null && typeof reason === "object" ? reason : { message: reason };
  const names = { expectedToInclude: "it must include", expectedValue: "expected", actualValue: "it holds" };
  const told = Object.entries(facts).map(([key, value]) => `${names[key] ?? key} ${JSON.stringify(value)}`);
  return element("li", {}, element("code", { textContent: id }), `: ${[message ?? "not valid", ...told].join("; ")}`);
}

async function signInAs(name) {
  await signIn(name);
  await start();
}

function onClick(id, work) {
  $(id).addEventListener("click", () => run($(id), work));
}

function onSubmit(id, button, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    run($(button), work);
  });
}

onSubmit("login-form", "sign-in", () => signInAs($("login-name").value));
for (const button of document.querySelectorAll("#login-form [data-name]")) {
  button.addEventListener("click", () => run(button, () => signInAs(button.dataset.name)));
}
onClick("sign-out", async () => {
  await signOut();
  await leave(ENDED.bySelf);
});
onClick("retry", async () => {
  $("retry").hidden = true;
  await start();
});
onClick("reload-all", async () => {
  await together(readMe(), readData(), readMetadata(), readSessions(), readFeed());
  return "Everything is read again.";
});

onClick("data-put", () => writeData("PUT", "The session data is overwritten."));
onClick("data-patch", () => writeData("PATCH", "The session data is merged."));
onClick("updateinfo", async () => {
  const { message } = await api("POST", "/updateinfo");
  await readData();
  return message;
});
onClick("data-copy", () => {
  $("data-editor").value = $("data-json").textContent;
  $("data-editor").focus();
});
// Enter in this form must not pick one of the two ways to write.
$("data-form").addEventListener("submit", (event) => event.preventDefault());

onSubmit("payload-form", "payload-merge", mergePayload);
onSubmit("metadata-form", "metadata-save", saveMetadata);
$("theme").addEventListener("change", () => applyTheme($("theme").value));
onClick("revoke-others", async () => {
  const { revoked } = await api("POST", "/api/sessions/revoke-others");
  await readSessions();
  return revoked.length === 1 ? "1 other session is revoked." : `${revoked.length} other sessions are revoked.`;
});
onClick("admin-open", openAdmin);

events.addEventListener("call", ({ detail }) => logCall(detail));
events.addEventListener("renewed", () => {
  renewals += 1;
  meIsStale = true;
  showRenewals();
});
window.addEventListener("storage", ({ key }) => key === sessionFlag.key && start());
window.addEventListener("pageshow", ({ persisted }) => persisted && start());

showRenewals();
setInterval(tick, 500);
start();
