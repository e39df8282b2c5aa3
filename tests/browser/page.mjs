// What a person does on the demo's page, in the words of the tests.

import assert from "node:assert/strict";

export const REFRESH = "/auth/session/refresh";

export async function signIn(page, name) {
  await page.locator("#login-name").fill(name);
  await page.locator("#sign-in").click();
  await page.locator("#view-signed-in").waitFor();
  assert.equal(await text(page, "#user-id"), name);
}

export async function signOut(page) {
  await page.locator("#sign-out").click();
  await page.locator("#view-signed-out").waitFor();
}

export const text = (page, selector) => page.locator(selector).innerText();

export const isSignedIn = (page) => page.locator("#view-signed-in").isVisible();

/** The JSON document that an element shows. */
export const json = async (page, selector) => JSON.parse(await page.locator(selector).textContent());

export const handleOf = (page) => text(page, "#session-handle");

export const renewalsOf = async (page) => Number(await text(page, "#renew-count"));

/** Waits until an element shows exactly this document. */
export async function untilJson(page, selector, expected) {
  try {
    await page.waitForFunction(
      ([selector, expected]) => {
        const sorted = (value) =>
          value === null || typeof value !== "object" || Array.isArray(value)
            ? value
            : Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
        const shown = document.querySelector(selector).textContent;
        return shown !== "" && JSON.stringify(sorted(JSON.parse(shown))) === JSON.stringify(sorted(expected));
      },
      [selector, expected],
    );
  } catch (error) {
    assert.deepEqual(await json(page, selector), expected);
    throw error;
  }
}

/** Waits until an element says something that matches. */
export async function untilText(page, selector, pattern) {
  try {
    await page.locator(selector).filter({ hasText: pattern, visible: true }).waitFor();
  } catch (error) {
    assert.match(await page.locator(selector).innerText(), pattern, { cause: error });
    throw error;
  }
}

export const untilStatus = (page, pattern) => untilText(page, "#status", pattern);

/** Waits until the clock has passed the expiry that the page knows of. */
export async function untilExpired(page) {
  await page.waitForFunction(() => Date.now() > Date.parse(document.querySelector("#access-expiry").dateTime));
}

/** Clicks "Read everything again": five calls at once, which must all succeed. */
export async function readEverything(page) {
  await page.locator("#reload-all").click();
  await untilStatus(page, /Everything is read again/);
}

/** Records the calls to one path that the pages of a browser make from now on. */
export function recordCalls(context, path, method = "POST") {
  const calls = [];
  context.on("request", (request) => {
    if (request.method() === method && new URL(request.url()).pathname === path) calls.push(request);
  });
  return calls;
}
