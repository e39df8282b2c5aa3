import Hapi from "@hapi/hapi";
import { plugin } from "supertokens-node/framework/hapi";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/hapi";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "hapi" });

const server = Hapi.server({ port, host: "127.0.0.1" });
await server.register(plugin);

const verified = { pre: [{ method: verifySession() }] };

server.route([
  {
    method: "post",
    path: "/login",
    handler: async (req, h) => {
      await Session.createNewSession(req, h, "public", userOf(req.query.userId));
      return { status: "OK" };
    },
  },
  {
    method: "post",
    path: "/session-data",
    options: verified,
    handler: async (req) => {
      const data = await req.session.getSessionDataFromDatabase();
      const visits = (data.visits ?? 0) + 1;
      await req.session.updateSessionDataInDatabase({ ...data, visits });
      return { visits };
    },
  },
  {
    method: "post",
    path: "/offline",
    handler: (req) => notifyAllSessions(req.query.userId),
  },
  {
    method: "post",
    path: "/metadata",
    options: verified,
    handler: async (req) => {
      const userId = req.session.getUserId();
      await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
      const { metadata } = await UserMetadata.getUserMetadata(userId);
      return metadata;
    },
  },
  {
    method: "delete",
    path: "/metadata",
    options: verified,
    handler: async (req) => {
      await UserMetadata.clearUserMetadata(req.session.getUserId());
      return {};
    },
  },
]);

await server.start();
