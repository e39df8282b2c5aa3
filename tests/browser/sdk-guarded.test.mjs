// Cookies under names that browsers guard, and partitioned ones. The SDK sees neither, so it must not mind.

import assert from "node:assert/strict";
import { REFRESH, sdkTest, SERVER_COOKIES } from "./sdk.mjs";

const GUARDED = ["__Host-sAccessToken", "__Secure-sRefreshToken", "sFrontToken"];
const NAMES = { off: SERVER_COOKIES, accept: SERVER_COOKIES, prefer: GUARDED, require: GUARDED };
const SAME_SITE = "another origin of the same site, over TLS";
const OTHER_SITE = "another site, over TLS";

for (const site of [SAME_SITE, OTHER_SITE]) {
  sdkTest(`${site}: a changeover to guarded names and back logs nobody out`, { site, validity: 2, settings: { COOKIE_PREFIX: "off" } }, async ({ visit, gateway, reconfigure }) => {
    const tab = await visit();
    const handle = await tab.signIn();
    for (const step of ["off", "accept", "prefer", "require", "prefer", "accept", "off"]) {
      await reconfigure({ COOKIE_PREFIX: step });
      await tab.isSignedInAs(handle);
      await tab.untilExpired();
      const refreshes = gateway.calls("POST", REFRESH).length;
      await tab.isSignedInAs(handle);
      assert.equal(gateway.calls("POST", REFRESH).length, refreshes + 1, step);
      assert.deepEqual(await tab.tokens(), NAMES[step], step);
    }
    await tab.sdk("signOut");
    await tab.isSignedOut();
  });
}

sdkTest("guarded names: a session from sign-in to sign-out, with a cookie that a sibling has planted", { site: SAME_SITE, validity: 2, settings: { COOKIE_PREFIX: "require" } }, async ({ visit }) => {
  const planted = ["sAccessToken", "sRefreshToken"].map((name) => ({ name, value: "planted", domain: ".example.com", path: "/" }));
  const tab = await visit({}, (context) => context.addCookies(planted));
  const handle = await tab.signIn();
  await tab.isSignedInAs(handle);
  await tab.untilExpired();
  await tab.isSignedInAs(handle);
  await tab.sdk("signOut");
  assert.equal(await tab.sdk("doesSessionExist"), false);
  assert.deepEqual(await tab.tokens(), ["sAccessToken", "sRefreshToken"], "what was planted stays, and does not count");
});

sdkTest("where the cookies of other sites are refused, plain ones do not last", { site: OTHER_SITE, thirdPartyCookies: false }, async ({ visit }) => {
  const tab = await visit();
  await tab.signIn();
  assert.equal((await tab.call("GET", "/api/me")).status, 401);
});

for (const prefix of ["off", "require"]) {
  const settings = { COOKIE_PARTITIONED: "true", COOKIE_PREFIX: prefix };
  sdkTest(`where the cookies of other sites are refused, partitioned ones last (prefix: ${prefix})`, { site: OTHER_SITE, validity: 2, settings, thirdPartyCookies: false }, async ({ visit }) => {
    const tab = await visit();
    const handle = await tab.signIn();
    await tab.isSignedInAs(handle);
    await tab.untilExpired();
    await tab.isSignedInAs(handle);
    const cookies = (await tab.visitor.context.cookies()).filter(({ httpOnly }) => httpOnly);
    assert.equal(cookies.length, 2);
    for (const cookie of cookies) assert.match(cookie.partitionKey, /^https:\/\/example\.org/);
    await tab.sdk("signOut");
    await tab.isSignedOut();
  });
}

sdkTest("a session in plain cookies is taken over into partitioned ones", { site: OTHER_SITE, validity: 2 }, async ({ visit, reconfigure }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await reconfigure({ COOKIE_PARTITIONED: "true" });
  await tab.isSignedInAs(handle);
  await tab.untilExpired();
  await tab.isSignedInAs(handle);
  assert.deepEqual(await tab.tokens(), SERVER_COOKIES, "one of each");
  const cookies = (await tab.visitor.context.cookies()).filter(({ httpOnly }) => httpOnly);
  for (const { partitionKey } of cookies) assert.ok(partitionKey);
});
