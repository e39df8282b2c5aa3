// Retakes the pictures in `docs/images`: `DEMO_BIN=... npm run screenshots`.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch, Visitor } from "./browser.mjs";
import { Demo } from "./demo.mjs";
import { signIn, untilJson, untilStatus, untilText } from "./page.mjs";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const SIZE = { width: 1040, height: 780 };

await mkdir(FOLDER, { recursive: true });
const demo = await Demo.start();
const browser = await launch();
try {
  const open = async () => {
    const page = await (await Visitor.arrive(browser, demo.origin)).open();
    await page.setViewportSize(SIZE);
    return page;
  };
  const picture = async (page, name) => {
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled", caret: "hide" });
  };

  const one = await open();
  await untilText(one, "#feed-reader", /^a guest$/);
  await picture(one, "signed-out");

  await signIn(one, "alice");
  await one.locator("#data-editor").fill('{"cart": ["tea", "rice"], "step": 2}');
  await one.locator("#data-put").click();
  await untilJson(one, "#data-json", { cart: ["tea", "rice"], step: 2 });
  await picture(one, "signed-in");

  const two = await open();
  await signIn(two, "alice");
  await two.locator("#revoke-others").click();
  await untilStatus(two, /1 other session is revoked/);
  await one.locator("#updateinfo").click();
  await one.locator("#view-signed-out").waitFor();
  await untilText(one, "#notice", /Your session has ended/);
  await picture(one, "revoked");
} finally {
  await browser.close();
  await demo.remove();
}
