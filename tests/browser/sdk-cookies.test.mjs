// Cookies from before: of another domain or path, and of another SuperTokens backend at the same address.

import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { REFRESH, sdkTest, SERVER_COOKIES } from "./sdk.mjs";

const SITE = "another origin of the same site";

for (const [from, to] of [["", ".example.com"], [".example.com", ""]]) {
  const named = (domain) => domain || "the API's host only";
  const cookieDomain = (domain) => (domain === "" ? {} : { COOKIE_DOMAIN: domain });

  sdkTest(`cookies that move from ${named(from)} to ${named(to)} are healed by the next refresh`, { site: SITE, validity: 2, settings: cookieDomain(from) }, async ({ visit, gateway, demo, reconfigure }) => {
    const tab = await visit();
    const handle = await tab.signIn();
    delete demo.settings.COOKIE_DOMAIN;
    await reconfigure({ ...cookieDomain(to), OLDER_COOKIE_DOMAIN: from });
    await tab.untilExpired();

    // The refresh succeeds and makes a second set of cookies; the one after it takes the first set away. The SDK does
    // not know that answer, so it tells its caller once, and keeps the session.
    await assert.rejects(tab.call("GET", "/api/me"), /front-token/);
    const [moved, healed] = gateway.calls("POST", REFRESH).slice(-2);
    assert.deepEqual([moved.answer.status, healed.answer.status], [200, 200]);
    assert.deepEqual(healed.answered("front-token"), []);

    await tab.isSignedInAs(handle);
    assert.deepEqual(await sessionCookies(tab), ["sAccessToken", "sRefreshToken"].map((name) => [name, to || "api.example.com"]));
    await tab.untilExpired();
    await tab.isSignedInAs(handle);
    await tab.sdk("signOut");
    await tab.isSignedOut();
  });
}

sdkTest("a refresh cookie that is left at an older path does no harm", { validity: 2 }, async ({ visit, api, gateway }) => {
  const old = { name: "sRefreshToken", value: "old", domain: new URL(api).hostname, path: "/old/session/refresh", httpOnly: true };
  const tab = await visit({}, (context) => context.addCookies([old]));
  const handle = await tab.signIn();
  await tab.untilExpired();
  const before = gateway.calls("POST", REFRESH).length;
  await tab.isSignedInAs(handle);
  assert.equal(gateway.calls("POST", REFRESH).length, before + 1);
});

for (const [name, lifetime] of [["is still good", 3600], ["has expired", -60]]) {
  for (const legacy of [false, true]) {
    const what = `whose access token ${name}${legacy ? ", with the cookie of an old generation" : ""}`;
    sdkTest(`a browser that comes from another SuperTokens backend, ${what}, ends at a clean sign-in`, { site: SITE }, async ({ visit, api, website, gateway }) => {
      const cookies = foreignCookies(new URL(api).hostname, new URL(website.origin).hostname, lifetime);
      const carried = legacy ? cookies : cookies.filter(({ name }) => name !== "sIdRefreshToken");
      const tab = await visit({}, (context) => context.addCookies(carried));

      assert.equal((await tab.call("GET", "/api/me")).status, 401);
      assert.equal(gateway.calls("POST", REFRESH).length, 1);
      assert.equal(gateway.calls("POST", REFRESH)[0].cookie("sRefreshToken"), "foreign-refresh-token");
      await tab.isSignedOut();
      assert.equal(gateway.calls("POST", REFRESH).length, 1, "no loop");

      const handle = await tab.signIn();
      await tab.isSignedInAs(handle);
      assert.deepEqual(await tab.tokens(), SERVER_COOKIES);
    });
  }
}

sdkTest("a browser that comes from another SuperTokens backend may sign in without a word", { site: SITE, validity: 2 }, async ({ visit, api, website }) => {
  const cookies = foreignCookies(new URL(api).hostname, new URL(website.origin).hostname, 3600);
  const tab = await visit({}, (context) => context.addCookies(cookies.filter(({ name }) => name !== "sIdRefreshToken")));
  const handle = await tab.signIn();
  await tab.isSignedInAs(handle);
  await tab.untilExpired();
  await tab.isSignedInAs(handle);
});

/** Name and domain of each cookie with a token of the server's. */
async function sessionCookies(tab) {
  const cookies = await tab.visitor.context.cookies();
  const session = cookies.filter(({ name }) => name === "sAccessToken" || name === "sRefreshToken");
  return session.map(({ name, domain }) => [name, domain]).sort();
}

/** What a browser holds that was signed in at another backend: properly signed, by a key that is not ours. */
function foreignCookies(apiHost, websiteHost, lifetime) {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    sub: "alice", rsub: "alice", tId: "public", iat: now - 3600, exp: now + lifetime, sessionHandle: "foreign-handle",
    refreshTokenHash1: "0".repeat(64), parentRefreshTokenHash1: null, antiCsrfToken: null, iss: "https://elsewhere.example/auth",
  };
  const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${base64url({ alg: "RS256", typ: "JWT", version: "5", kid: "d-foreign" })}.${base64url(payload)}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signature = createSign("RSA-SHA256").update(signed).sign(privateKey, "base64url");
  const frontToken = Buffer.from(JSON.stringify({ uid: "alice", ate: payload.exp * 1000, up: payload })).toString("base64");
  return [
    { name: "sAccessToken", value: `${signed}.${signature}`, domain: apiHost, path: "/", httpOnly: true },
    { name: "sRefreshToken", value: "foreign-refresh-token", domain: apiHost, path: REFRESH, httpOnly: true },
    { name: "sIdRefreshToken", value: "foreign-id", domain: apiHost, path: "/", httpOnly: true },
    { name: "sFrontToken", value: frontToken, domain: websiteHost, path: "/" },
    { name: "st-last-access-token-update", value: String(Date.now() - 3_600_000), domain: websiteHost, path: "/" },
  ];
}
