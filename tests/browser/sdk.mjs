// The official SDK in a real browser, against the demo's real server: who is where, and what a page can be told to do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launch, reasonToSkip, Visitor } from "./browser.mjs";
import { websiteFiles } from "./bundle.mjs";
import { Demo } from "./demo.mjs";
import { Gateway } from "./gateway.mjs";

export { REFRESH } from "./page.mjs";
export const SIGN_OUT = "/auth/signout";

/** The names of the cookies of a session in cookies, and of one in headers, which the SDK keeps itself. */
export const SERVER_COOKIES = ["sAccessToken", "sFrontToken", "sRefreshToken"];
export const SDK_COOKIES = ["sFrontToken", "st-access-token", "st-refresh-token"];

/** Where the website and the API are, as browsers see them. */
export const SITES = {
  "same origin": { website: "www.example.com", api: null, tls: false },
  "another origin of the same site": { website: "www.example.com", api: "api.example.com", tls: false },
  "another origin of the same site, over TLS": { website: "www.example.com", api: "api.example.com", tls: true },
  "another site, over TLS": { website: "www.example.org", api: "api.example.com", tls: true },
};

const skip = reasonToSkip();
let browser;
/** One that refuses the cookies of other sites; only for tests that ask for it. */
let strict;

before(async () => {
  if (!skip) browser = await launch();
});
after(async () => {
  await browser?.close();
  await strict?.close();
});

/**
 * A test with a website, a gateway and a server of its own. `visit()` opens a browser of its own; `visit(settings)`
 * gives the SDK these settings.
 */
export function sdkTest(name, { site = "same origin", validity, settings, thirdPartyCookies = true } = {}, body) {
  test(name, { skip, timeout: 120_000 }, async () => {
    if (!thirdPartyCookies) strict ??= await launch({ thirdPartyCookies });
    const place = await Place.build(SITES[site], validity, settings);
    place.browser = thirdPartyCookies ? browser : strict;
    try {
      await body(place);
      assert.deepEqual(place.complaints, [], "a page complained");
    } catch (error) {
      console.error(`${name}\n${place.account()}\nthe server's last words:\n${place.demo.log}`);
      throw error;
    } finally {
      await place.remove();
    }
  });
}

class Place {
  visitors = [];

  static async build({ website, api, tls }, validity, settings) {
    const place = new Place();
    const files = await websiteFiles();
    place.website = await Gateway.start({ host: website, tls, files });
    place.gateway = api === null ? place.website : await Gateway.start({ host: api, tls });
    place.api = place.gateway.origin;
    const domains = { API_DOMAIN: place.api, WEBSITE_DOMAIN: place.website.origin };
    try {
      place.demo = await Demo.start({ validity, settings: { ...domains, ...settings } });
    } catch (error) {
      await place.closeGateways();
      throw error;
    }
    place.gateway.target = place.demo.port;
    return place;
  }

  /** A person's browser, with the website open in one tab. */
  visit = async (settings, prepare = async () => {}) => {
    const visitor = await Visitor.arrive(this.browser, this.website.origin);
    this.visitors.push(visitor);
    await prepare(visitor.context);
    return this.tab(visitor, settings);
  };

  /** Another tab of the same browser. */
  tab = async (visitor, { page = "website", ...settings } = {}) => {
    const tab = new Tab(this, visitor, await visitor.context.newPage());
    await tab.open(page, settings);
    return tab;
  };

  /** The server is stopped, and started again with other settings, on the same database. */
  reconfigure = async (settings) => {
    await this.demo.stop();
    Object.assign(this.demo.settings, settings);
    await this.demo.launch();
  };

  get complaints() {
    return this.visitors.flatMap(({ complaints }) => complaints);
  }

  /** What happened, without tokens: enough to understand most failures without running the test again. */
  account() {
    const calls = this.gateway.exchanges.map(({ method, path, answer }) => `${method} ${path} ${answer?.status ?? "unanswered"}`);
    return [...calls, ...this.complaints].join("\n");
  }

  async closeGateways() {
    for (const gateway of new Set([this.website, this.gateway])) await gateway.close();
  }

  async remove() {
    for (const { context } of this.visitors) await context.close();
    await this.closeGateways();
    await this.demo.remove();
  }
}

/** A tab with the website's page, in which the SDK runs. */
class Tab {
  constructor(place, visitor, page) {
    this.place = place;
    this.visitor = visitor;
    this.page = page;
  }

  async open(page, settings) {
    const all = { apiDomain: this.place.api, apiBasePath: "/auth", ...settings };
    await this.page.goto(`${this.place.website.origin}/${page}.html?settings=${encodeURIComponent(JSON.stringify(all))}`);
  }

  /** Calls the API, by `fetch` unless told otherwise. Rejects where the page's call does. */
  call(method, path, body, via = "fetch") {
    return this.page.evaluate(([via, method, url, body]) => window.call(via, method, url, body), [via, method, this.place.api + path, body]);
  }

  /** Calls the API, and expects 200; returns the body. */
  async ask(method, path, body, via) {
    const answer = await this.call(method, path, body, via);
    assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Signs in, and returns the session's handle. */
  async signIn(name = "bob", via = "fetch") {
    const { userId, handle } = await this.ask("POST", "/api/login", { name }, via);
    assert.equal(userId, name);
    return handle;
  }

  /** A function of the SDK, by name. */
  sdk(name, ...input) {
    return this.page.evaluate(([name, input]) => window.SuperTokens[name](...input), [name, input]);
  }

  /** Signed in as the SDK sees it and as the server sees it. */
  async isSignedInAs(handle) {
    assert.equal(await this.sdk("doesSessionExist"), true);
    assert.equal((await this.ask("GET", "/api/me")).handle, handle);
  }

  /** Signed out as the SDK sees it and as the server sees it, with no token of any kind left. */
  async isSignedOut() {
    assert.equal(await this.sdk("doesSessionExist"), false);
    assert.equal((await this.call("GET", "/api/me")).status, 401);
    assert.deepEqual(await this.tokens(), []);
  }

  /** Names of the cookies with tokens in this browser: the server's and the SDK's own. */
  async tokens() {
    const cookies = await this.visitor.context.cookies();
    return cookies.map(({ name }) => name).filter((name) => name !== "st-last-access-token-update").sort();
  }

  /** The events that the SDK has fired so far. */
  events() {
    return this.page.evaluate(() => window.events);
  }

  async actions() {
    return (await this.events()).map(({ action }) => action);
  }

  /** What the SDK knows of the access token. */
  async frontToken() {
    const cookies = await this.visitor.context.cookies(this.place.website.origin);
    const { value } = cookies.find(({ name }) => name === "sFrontToken");
    return JSON.parse(Buffer.from(value, "base64").toString());
  }

  /** Waits until the access token's own end, or a moment after it, has passed by the clock that the server goes by. */
  async untilExpired(later = 0) {
    const moment = (await this.frontToken()).ate + later;
    while (Date.now() <= moment) await pause(moment - Date.now() + 1);
  }
}
