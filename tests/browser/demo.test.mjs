// The demo's page in a real browser, against the demo's real server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, reasonToSkip, Visitor } from "./browser.mjs";
import { Demo } from "./demo.mjs";
import {
  handleOf, isSignedIn, json, readEverything, recordCalls, REFRESH, renewalsOf, signIn, signOut, text, untilExpired, untilJson,
  untilStatus, untilText,
} from "./page.mjs";

const ENDED = /Your session has ended/;
const skip = reasonToSkip();
let browser;

before(async () => {
  if (!skip) browser = await launch();
});
after(() => browser?.close());

/** A test with a server of its own; `visit()` opens a browser of its own. No page may complain while it runs. */
function browserTest(name, options, body) {
  test(name, { skip, timeout: 120_000 }, async () => {
    const demo = await Demo.start(options);
    const visitors = [];
    const visit = async () => {
      const visitor = await Visitor.arrive(browser, demo.origin);
      visitors.push(visitor);
      return visitor;
    };
    try {
      await body({ demo, visit });
      assert.deepEqual(visitors.flatMap(({ complaints }) => complaints), [], "a page complained");
    } catch (error) {
      console.error(`${name}\n${await account(visitors)}\nthe server's last words:\n${demo.log}`);
      throw error;
    } finally {
      for (const { context } of visitors) await context.close();
      await demo.remove();
    }
  });
}

/** What the pages of a failed test showed: enough to understand most failures without running it again. */
async function account(visitors) {
  const pages = visitors.flatMap(({ context, complaints }) => context.pages().map((page) => ({ page, complaints })));
  const told = pages.map(async ({ page, complaints }) => {
    const shown = await page.locator("body").innerText({ timeout: 2_000 }).catch((error) => String(error));
    return `--- ${page.url()}\n${shown}\n${complaints.join("\n")}`;
  });
  return (await Promise.all(told)).join("\n");
}

browserTest("signing in shows who you are, and survives a reload", {}, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await untilText(page, "#feed-reader", /^a guest$/);
  assert.notEqual(await page.locator("#feed li").count(), 0);

  await signIn(page, "bob");
  const handle = await handleOf(page);
  assert.match(handle, /\S/);
  assert.match(await text(page, "#tenant-id"), /\S/);
  assert.equal(typeof (await json(page, "#payload-json")), "object");
  assert.equal(await text(page, "#token-state"), "valid");
  await untilText(page, "#feed-reader", /^bob$/);

  await page.reload();
  await page.locator("#view-signed-in").waitFor();
  assert.equal(await text(page, "#user-id"), "bob");
  assert.equal(await handleOf(page), handle);
});

browserTest("a first visit asks for no renewal, and a name is required", {}, async ({ visit }) => {
  const visitor = await visit();
  const refreshes = recordCalls(visitor.context, REFRESH);
  const page = await visitor.open();
  assert.equal(refreshes.length, 0);
  assert.equal(await page.locator("#notice").textContent(), "");

  await page.locator("#sign-in").click();
  await untilText(page, "#login-error", /\S/);
  assert.ok(!(await isSignedIn(page)));
  assert.deepEqual(await visitor.tokens(), {});
});

browserTest("session data is overwritten, merged and read by /updateinfo, and survives a reload", {}, async ({ visit }) => {
  const page = await (await visit()).open();
  await signIn(page, "bob");
  await untilJson(page, "#data-json", {});

  await page.locator("#data-editor").fill('{"cart": ["tea"], "step": 1, "old": {"deep": true}}');
  await page.locator("#data-put").click();
  await untilJson(page, "#data-json", { cart: ["tea"], step: 1, old: { deep: true } });

  await page.locator("#data-editor").fill('{"step": 2, "old": null, "cart": ["tea", "rice"]}');
  await page.locator("#data-patch").click();
  await untilJson(page, "#data-json", { cart: ["tea", "rice"], step: 2 });

  await page.locator("#updateinfo").click();
  const expected = { cart: ["tea", "rice"], step: 2, newKey: "newValue" };
  await untilJson(page, "#data-json", expected);
  await untilStatus(page, /successfully updated session data/);

  await page.reload();
  await untilJson(page, "#data-json", expected);

  await page.locator("#data-editor").fill("[1, 2]");
  await page.locator("#data-put").click();
  await untilText(page, "#data-error", /must be a JSON object/);
  await readEverything(page);
  await untilJson(page, "#data-json", expected);
});

browserTest("metadata is applied, and outlives the session", {}, async ({ visit }) => {
  const page = await (await visit()).open();
  const theme = () => page.locator("html").getAttribute("data-theme");
  await signIn(page, "bob");
  assert.equal(await theme(), null);

  await page.locator("#theme").selectOption("dark");
  assert.equal(await theme(), "dark", "the theme is previewed before it is saved");
  await page.locator("#newsletter").check();
  await page.locator("#first-name").fill("Robert");
  await page.locator("#metadata-save").click();
  const expected = { first_name: "Robert", preferences: { theme: "dark", newsletter: true } };
  await untilJson(page, "#metadata-json", expected);
  await untilText(page, "#greeting", /Hello, Robert/);

  await signOut(page);
  assert.equal(await theme(), null, "the next person at this browser does not get it");

  await signIn(page, "bob");
  await untilJson(page, "#metadata-json", expected);
  assert.equal(await theme(), "dark");
  assert.equal(await page.locator("#theme").inputValue(), "dark");
  assert.ok(await page.locator("#newsletter").isChecked());
  assert.equal(await page.locator("#first-name").inputValue(), "Robert");

  // Nested objects are replaced whole, so the form must hand back what it does not know.
  const written = await page.evaluate(async () => {
    const headers = { "content-type": "application/json", rid: "anti-csrf" };
    const body = JSON.stringify({ preferences: { theme: "dark", newsletter: true, language: "fr" } });
    return (await fetch("/api/metadata", { method: "PATCH", headers, body })).status;
  });
  assert.equal(written, 200);
  await readEverything(page);
  await page.locator("#first-name").fill("");
  await page.locator("#newsletter").uncheck();
  await page.locator("#metadata-save").click();
  await untilJson(page, "#metadata-json", { preferences: { theme: "dark", newsletter: false, language: "fr" } });
});

browserTest("an expired access token is renewed once for all parallel calls", { validity: 2 }, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  const handle = await handleOf(page);

  await untilExpired(page);
  const before = await visitor.tokens();
  const renewals = await renewalsOf(page);
  const refreshes = recordCalls(visitor.context, REFRESH);
  await readEverything(page);

  assert.equal(refreshes.length, 1);
  assert.equal(await renewalsOf(page), renewals + 1);
  assert.equal(await handleOf(page), handle);

  const now = await visitor.tokens();
  for (const name of ["sAccessToken", "sRefreshToken"]) {
    assert.ok(now[name].httpOnly, `${name} is httpOnly`);
    assert.notEqual(now[name].value, before[name].value, `${name} is replaced`);
  }
  const headers = await refreshes[0].allHeaders();
  assert.equal(headers.rid, "session");
  assert.equal(headers["st-auth-mode"], "cookie");
  const readable = await page.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
  assert.doesNotMatch(readable, /sAccessToken|sRefreshToken/);
  for (const { value } of Object.values(now)) assert.ok(!readable.includes(value), "the page cannot read a token");
});

browserTest("a reload after the access token's end renews the session", { validity: 2 }, async ({ visit }) => {
  const page = await (await visit()).open();
  await signIn(page, "bob");
  const handle = await handleOf(page);
  await untilExpired(page);
  await page.reload();
  await page.locator("#view-signed-in").waitFor();
  assert.equal(await handleOf(page), handle);
  assert.notEqual(await renewalsOf(page), 0);
});

browserTest("a second browser revokes the first, and signs out everywhere else", {}, async ({ visit }) => {
  const [one, two] = [await visit(), await visit()];
  const [first, second] = [await one.open(), await two.open()];
  await signIn(first, "bob");
  await signIn(second, "bob");
  const [firstHandle, secondHandle] = [await handleOf(first), await handleOf(second)];
  assert.notEqual(firstHandle, secondHandle);

  const rows = second.locator("#sessions li");
  assert.equal(await rows.count(), 2);
  assert.equal(await second.locator('#sessions li[data-current="true"]').getAttribute("data-handle"), secondHandle);
  const firstRow = second.locator(`#sessions li[data-handle="${firstHandle}"]`);
  await firstRow.getByRole("button").click();
  await firstRow.waitFor({ state: "detached" });
  assert.equal(await rows.count(), 1);

  await first.locator("#updateinfo").click();
  await first.locator("#view-signed-out").waitFor();
  await untilText(first, "#notice", ENDED);
  assert.deepEqual(await one.tokens(), {});

  await signIn(first, "bob");
  await readEverything(second);
  assert.equal(await rows.count(), 2);
  await second.locator("#revoke-others").click();
  await untilStatus(second, /1 other session is revoked/);
  assert.equal(await rows.count(), 1);
  await first.locator("#reload-all").click();
  await untilText(first, "#notice", ENDED);
  assert.ok(!(await isSignedIn(first)));
  await readEverything(second);
});

browserTest("a session that is revoked while the page is closed has ended at the next visit", {}, async ({ visit }) => {
  const [one, two] = [await visit(), await visit()];
  const first = await one.open();
  await signIn(first, "bob");
  await first.close();
  const second = await two.open();
  await signIn(second, "bob");
  await second.locator("#revoke-others").click();
  await untilStatus(second, /1 other session is revoked/);

  const again = await one.open();
  assert.ok(!(await isSignedIn(again)));
  await untilText(again, "#notice", ENDED);
  await untilText(again, "#feed-reader", /^a guest$/);
});

browserTest("one's own session can be revoked from the list", {}, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  await page.locator('#sessions li[data-current="true"]').getByRole("button").click();
  await page.locator("#view-signed-out").waitFor();
  await untilText(page, "#notice", /You have revoked this session/);
  assert.deepEqual(await visitor.tokens(), {});
});

browserTest("the admin page is for admins, and nobody becomes one by editing the payload", {}, async ({ visit }) => {
  const admin = await (await visit()).open();
  await signIn(admin, "admin");
  assert.equal(await text(admin, "#roles"), "admin");
  await admin.locator("#admin-open").click();
  await admin.locator('#admin-result [data-kind="ok"]').waitFor();

  const page = await (await visit()).open();
  await signIn(page, "bob");
  assert.equal(await text(page, "#roles"), "none");
  const refused = async () => {
    const [answer] = await Promise.all([page.waitForResponse("**/api/admin"), page.locator("#admin-open").click()]);
    assert.equal(answer.status(), 403);
    await untilText(page, '#admin-result [data-kind="bad"]', /403[\s\S]*st-role/);
  };
  await refused();

  await page.locator("#payload-key").fill("st-role");
  await page.locator("#payload-value").fill(JSON.stringify({ v: ["admin"], t: Date.now() }));
  await Promise.all([page.waitForResponse("**/api/payload"), page.locator("#payload-merge").click()]);
  await refused();
});

browserTest("signing out clears the cookies; back and reload stay signed out", {}, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  assert.deepEqual(Object.keys(await visitor.tokens()).sort(), ["sAccessToken", "sRefreshToken"]);

  await signOut(page);
  await untilText(page, "#notice", /You have signed out/);
  assert.deepEqual(await visitor.tokens(), {});
  await untilText(page, "#feed-reader", /^a guest$/);

  const refreshes = recordCalls(visitor.context, REFRESH);
  const signedOut = () => page.locator("#view-signed-out").waitFor();
  await page.reload();
  await signedOut();
  await page.goto("/?elsewhere");
  await page.goBack({ waitUntil: "commit" });
  await signedOut();
  assert.equal(refreshes.length, 0, "there is nothing to renew");
});

browserTest("signing out with an expired access token works, too", { validity: 2 }, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  await untilExpired(page);
  await signOut(page);
  await untilText(page, "#notice", /You have signed out/);
  assert.deepEqual(await visitor.tokens(), {});
});

browserTest("two tabs whose access token has expired renew it without logging anyone out", { validity: 2 }, async ({ visit }) => {
  const visitor = await visit();
  const one = await visitor.open();
  await signIn(one, "bob");
  const handle = await handleOf(one);
  const two = await visitor.open();
  assert.equal(await handleOf(two), handle);

  await Promise.all([untilExpired(one), untilExpired(two)]);
  const refreshes = recordCalls(visitor.context, REFRESH);
  await Promise.all([readEverything(one), readEverything(two)]);
  assert.ok(refreshes.length >= 1);

  for (const page of [one, two]) {
    await page.reload();
    await page.locator("#view-signed-in").waitFor();
    assert.equal(await handleOf(page), handle);
  }
});

browserTest("signing out in one tab reaches the other", {}, async ({ visit }) => {
  const visitor = await visit();
  const one = await visitor.open();
  await signIn(one, "bob");
  const two = await visitor.open();
  await signOut(one);
  await two.locator("#view-signed-out").waitFor();
  await untilText(two, "#notice", /signed out in another tab/);

  await signIn(two, "carol");
  await untilText(one, "#user-id", /^carol$/);
});

browserTest("the back button does not bring back a page of a session that is gone", {}, async ({ visit }) => {
  const visitor = await visit();
  const one = await visitor.open();
  await signIn(one, "bob");
  await one.goto("/favicon.svg");
  const two = await visitor.open();
  await signOut(two);
  await one.goBack({ waitUntil: "commit" });
  await one.locator("#view-signed-out").waitFor();
});

browserTest("a protected payload name is refused, any other appears in the payload", {}, async ({ visit }) => {
  const page = await (await visit()).open();
  await signIn(page, "bob");
  const merge = async (key, value) => {
    await page.locator("#payload-key").fill(key);
    await page.locator("#payload-value").fill(value);
    const [answer] = await Promise.all([page.waitForResponse("**/api/payload"), page.locator("#payload-merge").click()]);
    return answer;
  };

  const refused = await merge("sub", "eve");
  assert.equal(refused.status(), 400);
  const { message } = await refused.json();
  await page.locator("#payload-error").filter({ hasText: message, visible: true }).waitFor();
  assert.notEqual((await json(page, "#payload-json")).sub, "eve");

  assert.equal((await merge("plan", "pro")).status(), 200);
  await untilStatus(page, /payload is merged/);
  assert.equal(await page.locator("#payload-error").textContent(), "");
  assert.equal((await json(page, "#payload-json")).plan, "pro");
  await page.reload();
  await page.locator("#view-signed-in").waitFor();
  assert.equal((await json(page, "#payload-json")).plan, "pro");

  assert.equal((await merge("plan", "null")).status(), 200);
  await page.locator("#payload-json").filter({ hasNotText: "plan" }).waitFor();
});

browserTest("a stopped server signs nobody out, and a restarted one goes on with the session", {}, async ({ demo, visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  const handle = await handleOf(page);
  await page.locator("#data-editor").fill('{"kept": true}');
  await page.locator("#data-put").click();
  await untilJson(page, "#data-json", { kept: true });
  const tokens = await visitor.tokens();

  await demo.stop();
  await page.locator("#updateinfo").click();
  await untilStatus(page, /cannot be reached.*still signed in/);
  assert.ok(await isSignedIn(page));
  assert.deepEqual(await visitor.tokens(), tokens);

  await demo.launch();
  await page.locator("#updateinfo").click();
  await untilJson(page, "#data-json", { kept: true, newKey: "newValue" });
  assert.equal(await handleOf(page), handle);
});

browserTest("a server that cannot renew signs nobody out", { validity: 2 }, async ({ visit }) => {
  const visitor = await visit();
  const page = await visitor.open();
  await signIn(page, "bob");
  await untilExpired(page);
  await page.route(`**${REFRESH}`, (route) => route.fulfill({ status: 503, json: { message: "try again later" } }));
  await page.locator("#reload-all").click();
  await untilStatus(page, /problem \(503\).*still signed in/);
  assert.ok(await isSignedIn(page));

  await page.unroute(`**${REFRESH}`);
  await readEverything(page);
});
