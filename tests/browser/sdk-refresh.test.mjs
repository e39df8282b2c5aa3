// When the SDK refreshes, how often, and what it makes of refreshes that fail.

import assert from "node:assert/strict";
import { without } from "./gateway.mjs";
import { REFRESH, SDK_COOKIES, sdkTest, SERVER_COOKIES } from "./sdk.mjs";

// Cases: S209.
sdkTest("a new visitor costs one refresh call without tokens", {}, async ({ visit, gateway }) => {
  const tab = await visit();
  assert.equal((await tab.ask("GET", "/api/feed")).userId, null);
  assert.equal((await tab.ask("GET", "/api/feed")).userId, null);
  assert.equal((await tab.call("GET", "/api/me")).status, 401);
  assert.equal(await tab.sdk("doesSessionExist"), false);

  const [refresh, ...more] = gateway.calls("POST", REFRESH);
  assert.deepEqual(more, []);
  assert.equal(refresh.answer.status, 401);
  assert.deepEqual(refresh.answered("front-token"), ["remove"]);
  assert.equal(refresh.headers.cookie, undefined);
  assert.equal(refresh.headers.authorization, undefined);

  await tab.page.reload();
  assert.equal((await tab.ask("GET", "/api/feed")).userId, null);
  assert.equal(gateway.calls("POST", REFRESH).length, 1);
});

// Cases: S210.
sdkTest("three calls at once with an expired access token share one refresh", { validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await tab.untilExpired();
  const before = gateway.calls("POST", REFRESH).length;
  const answers = await Promise.all(["fetch", "xhr", "axios"].map((way) => tab.ask("GET", "/api/me", undefined, way)));
  assert.deepEqual(answers.map((me) => me.handle), [handle, handle, handle]);
  assert.equal(gateway.calls("POST", REFRESH).length, before + 1);
});

sdkTest("asking whether there is a session refreshes it, and so does asking for its payload", { validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  const before = gateway.calls("POST", REFRESH).length;
  await tab.untilExpired();
  assert.equal(await tab.sdk("doesSessionExist"), true);
  await tab.untilExpired();
  const payload = await tab.sdk("getAccessTokenPayloadSecurely");
  assert.equal(payload.sessionHandle, handle);
  assert.ok(payload.exp * 1000 > Date.now());
  assert.equal(gateway.calls("POST", REFRESH).length, before + 2);
  assert.equal(await tab.sdk("attemptRefreshingSession"), true);
  assert.equal(gateway.calls("POST", REFRESH).length, before + 3);
});

// Cases: S211.
sdkTest("a refresh that is answered 500 leaves the session alone", { validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await tab.untilExpired();
  const end = gateway.intercept("POST", REFRESH, (exchange) => exchange.reply({ status: 500, body: '{"message":"later"}' }));
  assert.deepEqual(await tab.call("GET", "/api/me"), { status: 500, body: { message: "later" } });
  assert.deepEqual(await tab.tokens(), SERVER_COOKIES);
  end();
  await tab.isSignedInAs(handle);
});

sdkTest("a server that is down signs nobody out, and goes on when it is up again", { validity: 2 }, async ({ visit, demo }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await tab.untilExpired();
  await demo.stop();
  await assert.rejects(tab.call("GET", "/api/me"));
  assert.deepEqual(await tab.tokens(), SERVER_COOKIES);
  await demo.launch();
  await tab.isSignedInAs(handle);
});

// Cases: S212.
sdkTest("the SDK throws where the front token of a refresh cannot be read", { site: "another origin of the same site", validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  await tab.untilExpired();
  const end = gateway.intercept("POST", REFRESH, async (exchange) => {
    const answer = await exchange.forward();
    assert.equal(answer.status, 200);
    assert.match(exchange.answered("access-control-expose-headers").join(), /front-token/);
    exchange.reply({ ...answer, headers: without(answer.headers, ["access-control-expose-headers"]) });
  });
  await assert.rejects(tab.call("GET", "/api/me"), /front-token/);
  end();
  await tab.isSignedInAs(handle);
});

// Cases: S213.
sdkTest("an endpoint that always answers 401 is tried ten times more, then the SDK throws", {}, async ({ visit, gateway }) => {
  const tab = await visit();
  const handle = await tab.signIn();
  const before = gateway.calls("POST", REFRESH).length;
  const end = gateway.intercept("GET", "/api/me", (exchange) => exchange.reply({ status: 401, body: "{}" }));
  await assert.rejects(tab.call("GET", "/api/me"), /maximum session refresh limit/);
  assert.equal(gateway.calls("GET", "/api/me").length, 11);
  const refreshes = gateway.calls("POST", REFRESH).slice(before);
  assert.deepEqual(refreshes.map(({ answer }) => answer.status), Array(10).fill(200));
  end();
  await tab.isSignedInAs(handle);
});

// Cases: S217.
sdkTest("a session in cookies stays in cookies when the website changes over to headers", { validity: 2 }, async ({ visit, gateway }) => {
  const tab = await visit({ tokenTransferMethod: "cookie" });
  const handle = await tab.signIn();
  await tab.open("website", { tokenTransferMethod: "header" });
  await tab.untilExpired();
  const before = gateway.calls("POST", REFRESH).length;
  await tab.isSignedInAs(handle);
  const [refresh, ...more] = gateway.calls("POST", REFRESH).slice(before);
  assert.deepEqual(more, []);
  assert.equal(refresh.headers["st-auth-mode"], "header");
  assert.deepEqual(await tab.tokens(), SERVER_COOKIES);

  await tab.sdk("signOut");
  await tab.isSignedOut();
  await tab.signIn();
  assert.deepEqual(await tab.tokens(), SDK_COOKIES);
});

for (const [name, offset] of [["an hour fast", 3_600_000], ["an hour slow", -3_600_000]]) {
  const shifted = async (context) => context.addInitScript(shiftClock, offset);

  // Cases: S218.
  sdkTest(`a browser whose clock is ${name} refreshes no more than others`, {}, async ({ visit, gateway }) => {
    const tab = await visit({}, shifted);
    const handle = await tab.signIn();
    const clock = await tab.page.evaluate(() => Date.now());
    assert.ok(Math.abs(clock - Date.now() - offset) < 60_000, "the clock is shifted");
    const before = gateway.calls("POST", REFRESH).length;
    await tab.isSignedInAs(handle);
    assert.equal((await tab.sdk("getAccessTokenPayloadSecurely")).sessionHandle, handle);
    await tab.page.reload();
    await tab.isSignedInAs(handle);
    assert.equal(gateway.calls("POST", REFRESH).length, before);
  });

  // Cases: S218.
  sdkTest(`a browser whose clock is ${name} refreshes when it must`, { validity: 2 }, async ({ visit, gateway }) => {
    const tab = await visit({}, shifted);
    const handle = await tab.signIn();
    const before = gateway.calls("POST", REFRESH).length;
    await tab.untilExpired();
    assert.equal((await tab.ask("GET", "/api/me")).handle, handle);
    assert.equal(gateway.calls("POST", REFRESH).length, before + 1);
    // The SDK learns the time from whole seconds, so it may be late by one.
    await tab.untilExpired(1_000);
    assert.equal((await tab.sdk("getAccessTokenPayloadSecurely")).sessionHandle, handle);
    assert.equal(gateway.calls("POST", REFRESH).length, before + 2);
  });
}

/** Runs in the page, before its own scripts. */
function shiftClock(offset) {
  const now = Date.now.bind(Date);
  globalThis.Date = class extends Date {
    constructor(...input) {
      super(...(input.length === 0 ? [now() + offset] : input));
    }
    static now() {
      return now() + offset;
    }
  };
}
