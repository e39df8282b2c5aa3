// Chromium, and what every test wants to know about the pages it opens.

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PATIENCE_MS = 15_000;
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The hosts of the SDK's tests are servers on this machine; no other name leads anywhere.
  "--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP *.example.org 127.0.0.1, MAP *.example.net 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** Why the tests cannot run here, or `false`. In CI nothing may be skipped in silence, so there the launch fails. */
export function reasonToSkip() {
  if (existsSync(EXECUTABLE) || process.env.CI === "true") return false;
  return `there is no ${EXECUTABLE}; run \`apt-get install chromium\`, or set CHROMIUM`;
}

/** A browser, and `close` to end it. Whoever visits gets a context of their own in it. */
export async function launch({ thirdPartyCookies = true } = {}) {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`There is no ${EXECUTABLE}; run \`apt-get install chromium\`, or set CHROMIUM.`);
  }
  // Contexts are like incognito windows, which refuse the cookies of other sites unless the profile allows them.
  const mode = thirdPartyCookies ? 0 : 1;
  const profile = await mkdtemp(join(tmpdir(), "supersession-profile-"));
  await mkdir(join(profile, "Default"));
  await writeFile(join(profile, "Default", "Preferences"), JSON.stringify({ profile: { cookie_controls_mode: mode } }));
  // The driver turns off what the back button does for people: showing the page as it was left.
  const ignoreDefaultArgs = ["--disable-back-forward-cache"];
  const options = { executablePath: EXECUTABLE, headless: true, args: FLAGS, ignoreDefaultArgs };
  const own = await chromium.launchPersistentContext(profile, options);
  const newContext = (settings) => own.browser().newContext(settings);
  const close = async () => {
    await own.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { newContext, close };
}

/** One browser of one person: own cookies, own storage. Complaints of its pages are collected in `complaints`. */
export class Visitor {
  complaints = [];

  static async arrive(browser, origin) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({ baseURL: origin, ignoreHTTPSErrors: true });
    visitor.context.setDefaultTimeout(PATIENCE_MS);
    visitor.context.on("weberror", (error) => visitor.complaints.push(`uncaught: ${error.error().stack ?? error.error()}`));
    visitor.context.on("console", (message) => {
      // A refused request is logged by the browser, too, and is often just what a test is about.
      if (/Content Security Policy/i.test(message.text())) visitor.complaints.push(`console: ${message.text()}`);
    });
    return visitor;
  }

  /** A new tab on the demo's page, past the first question of who is signed in. */
  async open(path = "/") {
    const page = await this.context.newPage();
    await page.goto(path);
    await page.locator("#view-signed-out, #view-signed-in").filter({ visible: true }).waitFor();
    return page;
  }

  /** Values of the session's cookies, by name. Only the driver can see them: they are httpOnly. */
  async tokens() {
    const cookies = await this.context.cookies();
    const session = cookies.filter(({ name }) => name === "sAccessToken" || name === "sRefreshToken");
    return Object.fromEntries(session.map((cookie) => [cookie.name, cookie]));
  }
}
