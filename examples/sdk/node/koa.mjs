import Router from "@koa/router";
import Koa from "koa";
import { middleware } from "supertokens-node/framework/koa";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/koa";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "koa" });

const router = new Router();

router.post("/login", async (ctx) => {
  await Session.createNewSession(ctx, ctx, "public", userOf(ctx.query.userId));
  ctx.body = { status: "OK" };
});

router.post("/session-data", verifySession(), async (ctx) => {
  const data = await ctx.session.getSessionDataFromDatabase();
  const visits = (data.visits ?? 0) + 1;
  await ctx.session.updateSessionDataInDatabase({ ...data, visits });
  ctx.body = { visits };
});

router.post("/offline", async (ctx) => {
  ctx.body = await notifyAllSessions(ctx.query.userId);
});

router.post("/metadata", verifySession(), async (ctx) => {
  const userId = ctx.session.getUserId();
  await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
  const { metadata } = await UserMetadata.getUserMetadata(userId);
  ctx.body = metadata;
});

router.delete("/metadata", verifySession(), async (ctx) => {
  await UserMetadata.clearUserMetadata(ctx.session.getUserId());
  ctx.body = {};
});

const app = new Koa();
app.use(middleware());
app.use(router.routes());
app.listen(port, "127.0.0.1");
