// The anti-CSRF modes, each with the SDK, with a script that does not use it, and with another site's form.

import assert from "node:assert/strict";
import { Gateway } from "./gateway.mjs";
import { REFRESH, sdkTest } from "./sdk.mjs";

const SAME_SITE = "another origin of the same site";
const CROSS_SITE = "another site, over TLS";
const TRY_REFRESH = { status: 401, body: { message: "try refresh token" } };

sdkTest("none, the default on one site: SameSite=Lax is the protection", { site: SAME_SITE }, async ({ visit, api, gateway }) => {
  const tab = await visit();
  await tab.signIn();
  assert.equal((await tab.call("POST", "/updateinfo", undefined, "no SDK")).status, 200);

  const attack = await attackFromElsewhere(tab, `${api}/updateinfo`);
  assert.deepEqual(attack, { script: "refused", form: 401 });
  assert.equal(gateway.calls("POST", "/updateinfo").at(-1).cookie("sAccessToken"), undefined, "the browser sends no cookies");
});

sdkTest("by custom header, the default between sites: `rid` is the protection", { site: CROSS_SITE, validity: 2 }, async ({ visit, api, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await tab.ask("PUT", "/api/session-data", { safe: true });
  assert.equal(gateway.calls("PUT", "/api/session-data")[0].headers.rid, "anti-csrf");
  // Reading is no danger: other sites cannot see the answer.
  assert.equal((await tab.call("GET", "/api/me", undefined, "no SDK")).status, 200);
  assert.deepEqual(await tab.call("POST", "/updateinfo", undefined, "no SDK"), TRY_REFRESH);

  const attack = await attackFromElsewhere(tab, `${api}/updateinfo`);
  assert.deepEqual(attack, { script: "refused", form: 401 });
  const calls = gateway.calls("POST", "/updateinfo");
  assert.equal(calls.length, 2, "the script did not get past its preflight");
  assert.ok(calls[1].cookie("sAccessToken"), "the browser sends the cookies with the form");
  assert.deepEqual(await tab.ask("GET", "/api/session-data"), { safe: true });

  await tab.untilExpired();
  await tab.isSignedInAs(handle);
  assert.equal(gateway.calls("POST", REFRESH).at(-1).headers.rid, "session");
});

for (const site of [SAME_SITE, CROSS_SITE]) {
  const settings = { ANTI_CSRF: "VIA_TOKEN" };
  sdkTest(`by token: the SDK keeps it and repeats it (${site})`, { site, validity: 2, settings }, async ({ visit, gateway }) => {
    const tab = await visit();
    const handle = await tab.signIn();
    const token = async () => (await tab.visitor.context.cookies()).find(({ name }) => name === "sAntiCsrf").value;
    const first = await token();
    assert.deepEqual(gateway.calls("POST", "/api/login")[0].answered("anti-csrf"), [first]);
    await tab.ask("POST", "/updateinfo");
    assert.equal(gateway.calls("POST", "/updateinfo")[0].headers["anti-csrf"], first);
    assert.deepEqual(await tab.call("POST", "/updateinfo", undefined, "no SDK"), TRY_REFRESH);

    await tab.untilExpired();
    await tab.ask("POST", "/updateinfo");
    const refresh = gateway.calls("POST", REFRESH).at(-1);
    assert.equal(refresh.headers["anti-csrf"], first);
    assert.deepEqual(refresh.answered("anti-csrf"), [await token()]);
    await tab.ask("PATCH", "/api/payload", { plan: "pro" });
    await tab.isSignedInAs(handle);
    await tab.sdk("signOut");
    await tab.isSignedOut();
  });
}

sdkTest("by token: a browser that has lost it gets a new one by refreshing", { settings: { ANTI_CSRF: "NONE" } }, async ({ visit, gateway, reconfigure }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await reconfigure({ ANTI_CSRF: "VIA_TOKEN" });
  const before = gateway.calls("POST", REFRESH).length;
  await tab.ask("POST", "/updateinfo");
  assert.equal(gateway.calls("POST", REFRESH).length, before + 1);
  assert.ok((await tab.tokens()).includes("sAntiCsrf"));
  await tab.isSignedInAs(handle);
});

sdkTest("sessions in headers need no anti-CSRF token", { site: CROSS_SITE, settings: { ANTI_CSRF: "VIA_TOKEN" } }, async ({ visit }) => {
  const tab = await visit({ tokenTransferMethod: "header" });
  const handle = await tab.signIn();
  await tab.ask("POST", "/updateinfo");
  assert.equal((await tab.tokens()).includes("sAntiCsrf"), false);
  await tab.isSignedInAs(handle);
});

/**
 * The same browser follows a link to a page of another site, which calls the API by script and then posts a form to it.
 * Returns what became of each.
 */
async function attackFromElsewhere(tab, action) {
  const body = `<!doctype html><form method="post" action="${action}"><button>You have won</button></form>`;
  const files = new Map([["/", { type: "text/html", body }]]);
  const elsewhere = await Gateway.start({ host: "www.example.net", tls: action.startsWith("https"), files });
  try {
    const page = await tab.visitor.context.newPage();
    await page.goto(elsewhere.origin);
    const script = await page.evaluate(async (action) => {
      const request = { method: "POST", credentials: "include", headers: { rid: "anti-csrf" } };
      return fetch(action, request).then(() => "answered", () => "refused");
    }, action);
    const [answer] = await Promise.all([page.waitForResponse(action), page.getByRole("button").click()]);
    const form = answer.status();
    await page.close();
    return { script, form };
  } finally {
    await elsewhere.close();
  }
}
