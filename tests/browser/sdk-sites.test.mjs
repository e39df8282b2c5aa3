// The same things in every place and every way: same origin, same site, and another site over TLS; in cookies and in
// headers; by fetch, XMLHttpRequest and axios.

import assert from "node:assert/strict";
import { REFRESH, SDK_COOKIES, SERVER_COOKIES, sdkTest, SIGN_OUT, SITES } from "./sdk.mjs";

const WAYS = ["fetch", "xhr", "axios", "axios interceptors"];

for (const site of Object.keys(SITES)) {
  for (const tokenTransferMethod of ["cookie", "header"]) {
    // Cases: S214.
    sdkTest(`${site}, in ${tokenTransferMethod}s: a session from sign-in to sign-out`, { site, validity: 2 }, async ({ visit, gateway }) => {
      const tab = await visit({ tokenTransferMethod });
      const handle = await tab.signIn("bob");
      assert.deepEqual(await tab.tokens(), tokenTransferMethod === "cookie" ? SERVER_COOKIES : SDK_COOKIES);
      assert.equal(await tab.sdk("getUserId"), "bob");
      assert.equal((await tab.sdk("getAccessTokenPayloadSecurely")).sessionHandle, handle);

      for (const way of WAYS) {
        await tab.untilExpired();
        const refreshes = gateway.calls("POST", REFRESH).length;
        assert.equal((await tab.ask("GET", "/api/me", undefined, way)).handle, handle, way);
        assert.equal(gateway.calls("POST", REFRESH).length, refreshes + 1, way);
        assert.equal((await tab.ask("PATCH", "/api/session-data", { [way]: true }, way))[way], true);
        const refused = await tab.call("GET", "/api/admin", undefined, way);
        assert.equal(refused.status, 403, way);
        assert.equal(refused.body.claimValidationErrors[0].id, "st-role");
      }
      assert.deepEqual(await tab.ask("GET", "/api/session-data"), Object.fromEntries(WAYS.map((way) => [way, true])));
      for (const { headers } of gateway.calls("POST", REFRESH).slice(1)) {
        assert.equal(headers["st-auth-mode"], tokenTransferMethod);
        assert.equal("authorization" in headers, tokenTransferMethod === "header");
      }

      await tab.sdk("signOut");
      assert.equal(gateway.calls("POST", SIGN_OUT).at(-1).answer.status, 200);
      await tab.isSignedOut();
    });
  }
}

for (const [site, sameSite, secure] of [["another origin of the same site", "Lax", false], ["another site, over TLS", "None", true]]) {
  sdkTest(`${site}: cookies are SameSite=${sameSite}, and the refresh token goes to its route only`, { site }, async ({ visit, gateway }) => {
    const tab = await visit();
    await tab.signIn();
    await tab.ask("GET", "/api/me");
    const common = { domain: "api.example.com", httpOnly: true, sameSite, secure };
    const cookies = (await tab.visitor.context.cookies()).filter(({ httpOnly }) => httpOnly);
    assert.deepEqual(
      cookies.map(({ name, path, domain, httpOnly, sameSite, secure }) => ({ name, path, domain, httpOnly, sameSite, secure })).sort(byName),
      [{ name: "sAccessToken", path: "/", ...common }, { name: "sRefreshToken", path: REFRESH, ...common }],
    );
    const [call] = gateway.calls("GET", "/api/me");
    assert.ok(call.cookie("sAccessToken"));
    assert.equal(call.cookie("sRefreshToken"), undefined);
  });
}

const byName = (one, other) => one.name.localeCompare(other.name);

sdkTest("supertokens-web-js: a session from sign-in to sign-out, from another site", { site: "another site, over TLS", validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit({ page: "web-js" });
  const handle = await tab.signIn("bob");
  assert.equal(await tab.sdk("getUserId"), "bob");
  await tab.ask("PATCH", "/api/payload", { plan: "pro" });
  assert.equal((await tab.sdk("getAccessTokenPayloadSecurely")).plan, "pro");

  await tab.untilExpired();
  const refreshes = gateway.calls("POST", REFRESH).length;
  await tab.isSignedInAs(handle);
  assert.equal(gateway.calls("POST", REFRESH).length, refreshes + 1);
  assert.equal((await tab.call("GET", "/api/admin")).status, 403);

  await tab.untilExpired();
  await tab.sdk("signOut");
  await tab.isSignedOut();
  const actions = await tab.actions();
  for (const action of ["SESSION_CREATED", "ACCESS_TOKEN_PAYLOAD_UPDATED", "REFRESH_SESSION", "API_INVALID_CLAIM", "SIGN_OUT"]) {
    assert.ok(actions.includes(action), `${action} in ${actions}`);
  }
});
