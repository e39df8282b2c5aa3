// Chromium, and what every test wants to know about the pages it opens.

import { existsSync } from "node:fs";
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
];

/** Why the tests cannot run here, or `false`. In CI nothing may be skipped in silence, so there the launch fails. */
export function reasonToSkip() {
  if (existsSync(EXECUTABLE) || process.env.CI === "true") return false;
  return `there is no ${EXECUTABLE}; run \`apt-get install chromium\`, or set CHROMIUM`;
}

export function launch() {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`There is no ${EXECUTABLE}; run \`apt-get install chromium\`, or set CHROMIUM.`);
  }
  // The driver turns off what the back button does for people: showing the page as it was left.
  const ignoreDefaultArgs = ["--disable-back-forward-cache"];
  return chromium.launch({ executablePath: EXECUTABLE, headless: true, args: FLAGS, ignoreDefaultArgs });
}

/** One browser of one person: own cookies, own storage. Complaints of its pages are collected in `complaints`. */
export class Visitor {
  complaints = [];

  static async arrive(browser, origin) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({ baseURL: origin });
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
