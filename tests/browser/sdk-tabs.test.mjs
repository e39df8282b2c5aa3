// Many refreshes at once, refreshes whose answer is lost, and refreshes by a thief.

import assert from "node:assert/strict";
import { REFRESH, sdkTest, SERVER_COOKIES } from "./sdk.mjs";

const TABS = 4;

sdkTest("tabs that find the access token expired at once share one refresh, by the SDK's lock", { validity: 2 }, async ({ visit, tab, gateway, demo, reconfigure }) => {
  const first = await visit();
  const handle = await first.signIn();
  const tabs = [first];
  while (tabs.length < TABS) tabs.push(await tab(first.visitor));
  await first.untilExpired();
  // The next token must not expire, too, before the last tab has asked, however slow this machine is.
  demo.validity = 3600;
  await reconfigure({});
  const before = gateway.calls("POST", REFRESH).length;
  const answers = await Promise.all(tabs.map((tab) => tab.ask("GET", "/api/me")));
  assert.deepEqual(answers.map((me) => me.handle), Array(TABS).fill(handle));
  assert.equal(gateway.calls("POST", REFRESH).length, before + 1);
});

for (const tokenTransferMethod of ["cookie", "header"]) {
  sdkTest(`tabs without a lock between them, in ${tokenTransferMethod}s, get the same successor`, { validity: 2 }, async ({ visit, tab, gateway }) => {
    const settings = { lock: false, tokenTransferMethod };
    const first = await visit(settings);
    const handle = await first.signIn();
    const tabs = [first];
    while (tabs.length < TABS) tabs.push(await tab(first.visitor, settings));
    await first.untilExpired();

    // Nobody's refresh gets through before everybody has sent one.
    const waiting = [];
    const end = gateway.intercept("POST", REFRESH, async (exchange) => {
      waiting.push(exchange);
      if (waiting.length < TABS) return;
      await Promise.all(waiting.map((one) => one.forward()));
      for (const one of waiting) one.reply(one.answer);
    });
    const answers = await Promise.all(tabs.map((tab) => tab.ask("GET", "/api/me")));
    end();
    assert.deepEqual(answers.map((me) => me.handle), Array(TABS).fill(handle));
    assert.deepEqual(waiting.map(({ answer }) => answer.status), Array(TABS).fill(200));
    assert.equal(new Set(waiting.map(refreshTokenOf)).size, 1, "one successor for all");

    await first.untilExpired();
    for (const tab of tabs) await tab.isSignedInAs(handle);
  });

  sdkTest(`a refresh whose answer is lost, in ${tokenTransferMethod}s, logs nobody out`, { validity: 2 }, async ({ visit, gateway, demo }) => {
    const tab = await visit({ tokenTransferMethod });
    const handle = await tab.signIn();
    const tokens = await tab.tokens();
    await tab.untilExpired();
    const before = gateway.calls("POST", REFRESH).length;
    const end = gateway.intercept("POST", REFRESH, async (exchange) => {
      await exchange.forward();
      exchange.lose();
    });
    await assert.rejects(tab.call("GET", "/api/me"));
    end();
    const lost = gateway.calls("POST", REFRESH).slice(before);
    assert.ok(lost.length > 0 && lost.every(({ answer }) => answer.status === 200), "the server has refreshed");
    assert.deepEqual(await tab.tokens(), tokens);

    await tab.isSignedInAs(handle);
    const again = gateway.calls("POST", REFRESH).at(-1);
    assert.equal(again.answer.status, 200);
    assert.equal(refreshTokenOf(again), refreshTokenOf(lost[0]), "the successor that was lost");
    await tab.untilExpired();
    await tab.isSignedInAs(handle);
    assert.doesNotMatch(demo.log, /stolen/);
  });
}

for (const thiefComes of ["after", "before"]) {
  const settings = { ROTATION_GRACE_PERIOD_SECONDS: "0" };
  sdkTest(`a stolen refresh token that is used ${thiefComes} its owner ends the session for both`, { validity: 2, settings }, async ({ visit, gateway, demo }) => {
    const owner = await visit();
    await owner.signIn();
    const stolen = await owner.visitor.context.cookies();
    const thief = await visit({}, (context) => context.addCookies(stolen));
    await owner.untilExpired();

    const [first, second] = thiefComes === "after" ? [owner, thief] : [thief, owner];
    await first.ask("GET", "/api/me");
    assert.doesNotMatch(demo.log, /stolen/);
    const caught = await second.call("GET", "/api/me");
    assert.deepEqual(caught, { status: 401, body: { message: "token theft detected" } });
    assert.deepEqual(gateway.calls("POST", REFRESH).at(-1).answered("front-token"), ["remove"]);
    await second.isSignedOut();

    assert.equal((await first.call("GET", "/api/me")).status, 401);
    await first.isSignedOut();
    assert.match(demo.log, /a refresh token was stolen: its session is revoked/);
  });
}

sdkTest("a thief's copy is harmless once its owner has signed out", {}, async ({ visit }) => {
  const owner = await visit();
  await owner.signIn();
  const stolen = await owner.visitor.context.cookies();
  assert.deepEqual(await owner.tokens(), SERVER_COOKIES);
  await owner.sdk("signOut");
  const thief = await visit({}, (context) => context.addCookies(stolen));
  assert.equal((await thief.call("GET", "/api/me")).status, 401);
  await thief.isSignedOut();
});

/** The refresh token in an answer: the last one counts, as it does for browsers. */
function refreshTokenOf(exchange) {
  const [inHeader] = exchange.answered("st-refresh-token");
  const inCookie = exchange.answered("set-cookie").find((line) => line.startsWith("sRefreshToken="));
  return inHeader ?? inCookie.split(";")[0];
}
