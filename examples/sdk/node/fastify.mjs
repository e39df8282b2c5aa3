import Fastify from "fastify";
import { errorHandler, plugin } from "supertokens-node/framework/fastify";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/fastify";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "fastify" });

const app = Fastify();
app.setErrorHandler(errorHandler());
await app.register(plugin);

const verified = { preHandler: verifySession() };

app.post("/login", async (req, reply) => {
  await Session.createNewSession(req, reply, "public", userOf(req.query.userId));
  return { status: "OK" };
});

app.post("/session-data", verified, async (req) => {
  const data = await req.session.getSessionDataFromDatabase();
  const visits = (data.visits ?? 0) + 1;
  await req.session.updateSessionDataInDatabase({ ...data, visits });
  return { visits };
});

app.post("/offline", (req) => notifyAllSessions(req.query.userId));

app.post("/metadata", verified, async (req) => {
  const userId = req.session.getUserId();
  await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
  const { metadata } = await UserMetadata.getUserMetadata(userId);
  return metadata;
});

app.delete("/metadata", verified, async (req) => {
  await UserMetadata.clearUserMetadata(req.session.getUserId());
  return {};
});

await app.listen({ port, host: "127.0.0.1" });
