// What an application learns from the SDK: events, payload, claims, and that a session has ended.

import assert from "node:assert/strict";
import { REFRESH, SDK_COOKIES, sdkTest, SERVER_COOKIES, SIGN_OUT } from "./sdk.mjs";

for (const [tokenTransferMethod, names] of [["cookie", SERVER_COOKIES], ["header", SDK_COOKIES]]) {
  // Cases: S215.
  sdkTest(`a session that ends in an ordinary call, in ${tokenTransferMethod}s, is signed out at once`, {}, async ({ visit, gateway }) => {
    const tab = await visit({ tokenTransferMethod });
    const handle = await tab.signIn();
    assert.deepEqual(await tab.tokens(), names);
    assert.deepEqual(await tab.actions(), ["SESSION_CREATED"]);

    const path = `/api/sessions/${handle}`;
    await tab.ask("DELETE", path);
    const [{ answer }] = gateway.calls("DELETE", path);
    assert.equal(answer.status, 200);
    assert.deepEqual(gateway.calls("DELETE", path)[0].answered("front-token"), ["remove"]);
    assert.deepEqual(await tab.actions(), ["SESSION_CREATED", "SIGN_OUT"]);
    await tab.isSignedOut();
  });
}

// Cases: S216.
sdkTest("a claim that does not hold fires an event, any other 403 fires none", {}, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn("bob");
  const refused = await tab.call("GET", "/api/admin");
  assert.equal(refused.status, 403);
  const invalid = (await tab.events()).filter(({ action }) => action === "API_INVALID_CLAIM");
  assert.deepEqual(invalid.map((event) => event.claimValidationErrors), [refused.body.claimValidationErrors]);
  assert.equal(refused.body.claimValidationErrors[0].id, "st-role");
  const found = await tab.sdk("getInvalidClaimsFromResponse", { response: { data: refused.body } });
  assert.deepEqual(found, refused.body.claimValidationErrors);

  const before = await tab.events();
  const end = gateway.intercept("GET", "/api/admin", (exchange) => exchange.reply({ status: 403, body: "no entry" }));
  assert.deepEqual(await tab.call("GET", "/api/admin"), { status: 403, body: "no entry" });
  end();
  assert.deepEqual(await tab.events(), before);
  await tab.isSignedInAs(handle);
});

for (const site of ["same origin", "another origin of the same site"]) {
  // Cases: S219.
  sdkTest(`a payload that a handler changes can be read at once (${site})`, { site }, async ({ visit, gateway }) => {
    const tab = await visit();
    const handle = await tab.signIn();
    const before = gateway.calls("POST", REFRESH).length;
    await tab.ask("PATCH", "/api/payload", { plan: "pro", nested: { "größe": ["ü", 1] } });
    assert.equal((await tab.actions()).at(-1), "ACCESS_TOKEN_PAYLOAD_UPDATED");
    const payload = await tab.sdk("getAccessTokenPayloadSecurely");
    assert.equal(payload.plan, "pro");
    assert.deepEqual(payload.nested, { "größe": ["ü", 1] });
    assert.deepEqual(payload, (await tab.ask("GET", "/api/me")).payload, "what the server sees");

    await tab.ask("PATCH", "/api/payload", { plan: null });
    assert.equal("plan" in (await tab.sdk("getAccessTokenPayloadSecurely")), false);
    await tab.isSignedInAs(handle);
    assert.equal(gateway.calls("POST", REFRESH).length, before);
  });
}

for (const tokenTransferMethod of ["cookie", "header"]) {
  // Cases: S220.
  sdkTest(`signing out with an expired access token, in ${tokenTransferMethod}s, refreshes first`, { validity: 2 }, async ({ visit, gateway }) => {
    const tab = await visit({ tokenTransferMethod });
    await tab.signIn();
    await tab.untilExpired();
    const before = gateway.exchanges.length;
    await tab.sdk("signOut");
    const calls = gateway.exchanges.slice(before).map(({ path, answer }) => [path, answer.status]);
    assert.deepEqual(calls, [[REFRESH, 200], [SIGN_OUT, 200]]);
    assert.equal((await tab.actions()).at(-1), "SIGN_OUT");
    await tab.isSignedOut();
  });
}

sdkTest("session data that one tab writes is there for the other", {}, async ({ visit, tab }) => {
  const one = await visit();
  const handle = await one.signIn();
  const two = await tab(one.visitor);
  await two.isSignedInAs(handle);
  await one.ask("PUT", "/api/session-data", { cart: ["tea"], old: true });
  await Promise.all([one.ask("PATCH", "/api/session-data", { one: 1 }), two.ask("PATCH", "/api/session-data", { two: 2, old: null })]);
  assert.equal((await two.ask("POST", "/updateinfo")).message, "successfully updated session data");
  const expected = { cart: ["tea"], one: 1, two: 2, newKey: "newValue" };
  assert.deepEqual(await one.ask("GET", "/api/session-data"), expected);
  assert.deepEqual(await two.ask("GET", "/api/session-data"), expected);
});

sdkTest("signing out in one tab is seen in the other", {}, async ({ visit, tab, gateway }) => {
  const one = await visit();
  const handle = await one.signIn();
  const two = await tab(one.visitor);
  await two.isSignedInAs(handle);
  await one.sdk("signOut");
  const before = gateway.calls("POST", REFRESH).length;
  await two.isSignedOut();
  assert.deepEqual((await two.events()).at(-1), { action: "UNAUTHORISED", sessionExpiredOrRevoked: false });
  assert.equal(gateway.calls("POST", REFRESH).length, before, "there is nothing to refresh");

  const next = await two.signIn("carol");
  await one.isSignedInAs(next);
  assert.equal(await one.sdk("getUserId"), "carol");
});

sdkTest("a session that is revoked elsewhere ends with the next call", {}, async ({ visit }) => {
  const [one, two] = [await visit(), await visit()];
  const handle = await one.signIn("bob");
  const other = await two.signIn("bob");
  assert.deepEqual(await two.ask("DELETE", `/api/sessions/${handle}`), { revoked: true });
  assert.equal(await one.sdk("doesSessionExist"), true, "nobody has told this browser yet");
  assert.deepEqual(await one.call("GET", "/api/me"), { status: 401, body: { message: "unauthorised" } });
  const told = (await one.events()).find(({ action }) => action === "UNAUTHORISED");
  assert.equal(told.sessionExpiredOrRevoked, true);
  await one.isSignedOut();
  await two.isSignedInAs(other);
});

sdkTest("a session that is revoked while its access token is expired ends with the refresh", { validity: 2 }, async ({ visit, gateway }) => {
  const [one, two] = [await visit(), await visit()];
  await one.signIn("bob");
  await two.signIn("bob");
  await one.untilExpired();
  assert.deepEqual(await two.ask("POST", "/api/sessions/revoke-others").then(({ revoked }) => revoked.length), 1);
  assert.equal(await one.sdk("doesSessionExist"), false);
  const refresh = gateway.calls("POST", REFRESH).at(-1);
  assert.equal(refresh.answer.status, 401);
  assert.deepEqual(refresh.answered("front-token"), ["remove"]);
  await one.isSignedOut();
});

sdkTest("claim validators in the page follow the payload", {}, async ({ visit }) => {
  const tab = await visit();
  await tab.signIn("bob");
  const validate = () =>
    tab.page.evaluate(async (api) => {
      const { PrimitiveClaim, PrimitiveArrayClaim, validateClaims, getClaimValue } = window.SuperTokens;
      const plan = new PrimitiveClaim({
        id: "plan",
        // Called when the value is missing or too old: asks the server, which answers with a new token.
        refresh: () => window.call("fetch", "PATCH", `${api}/api/payload`, { plan: { v: "pro", t: Date.now() } }),
      });
      const role = new PrimitiveArrayClaim({ id: "st-role", refresh: async () => {} });
      const validators = [plan.validators.hasValue("pro"), role.validators.includes("admin")];
      const errors = await validateClaims(() => validators);
      return { errors, plan: await getClaimValue({ claim: plan }), role: await getClaimValue({ claim: role }) };
    }, tab.place.api);

  const bob = await validate();
  assert.deepEqual(bob.errors.map(({ id }) => id), ["st-role"]);
  assert.equal(bob.plan, "pro");
  assert.deepEqual(bob.role, []);

  await tab.sdk("signOut");
  await tab.signIn("admin");
  await tab.ask("PATCH", "/api/payload", { plan: { v: "free", t: Date.now() } });
  const poor = await validate();
  assert.deepEqual(poor.errors.map(({ id }) => id), ["plan"]);
  assert.equal(poor.plan, "free");
  await tab.ask("PATCH", "/api/payload", { plan: null });
  assert.deepEqual(await validate(), { errors: [], plan: "pro", role: ["admin"] });
});
