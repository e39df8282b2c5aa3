import express from "express";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "express" });

const app = express();
app.use(middleware());

app.post("/login", async (req, res) => {
  await Session.createNewSession(req, res, "public", userOf(req.query.userId));
  res.json({ status: "OK" });
});

app.post("/session-data", verifySession(), async (req, res) => {
  const data = await req.session.getSessionDataFromDatabase();
  const visits = (data.visits ?? 0) + 1;
  await req.session.updateSessionDataInDatabase({ ...data, visits });
  res.json({ visits });
});

app.post("/offline", async (req, res) => {
  res.json(await notifyAllSessions(req.query.userId));
});

app.post("/metadata", verifySession(), async (req, res) => {
  const userId = req.session.getUserId();
  await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
  const { metadata } = await UserMetadata.getUserMetadata(userId);
  res.json(metadata);
});

app.delete("/metadata", verifySession(), async (req, res) => {
  await UserMetadata.clearUserMetadata(req.session.getUserId());
  res.json({});
});

app.use(errorHandler());
app.listen(port, "127.0.0.1");
