import { inject, intercept } from "@loopback/core";
import { MiddlewareContext, RestApplication, RestBindings, del, param, post } from "@loopback/rest";
import { middleware } from "supertokens-node/framework/loopback";
import type { SessionContext } from "supertokens-node/framework/loopback";
import Session from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/loopback";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "loopback" });

class Account {
  constructor(@inject(RestBindings.Http.CONTEXT) private ctx: MiddlewareContext) {}

  @post("/login")
  async login(@param.query.string("userId") userId: string) {
    await Session.createNewSession(this.ctx, this.ctx, "public", userOf(userId));
    return { status: "OK" };
  }

  @post("/session-data")
  @intercept(verifySession())
  async sessionData() {
    const { session } = this.ctx as SessionContext;
    const data = await session!.getSessionDataFromDatabase();
    const visits = (data.visits ?? 0) + 1;
    await session!.updateSessionDataInDatabase({ ...data, visits });
    return { visits };
  }

  @post("/offline")
  offline(@param.query.string("userId") userId: string) {
    return notifyAllSessions(userId);
  }

  @post("/metadata")
  @intercept(verifySession())
  async updateMetadata() {
    const userId = (this.ctx as SessionContext).session!.getUserId();
    await UserMetadata.updateUserMetadata(userId, { theme: "dark", draft: null });
    const { metadata } = await UserMetadata.getUserMetadata(userId);
    return metadata;
  }

  @del("/metadata")
  @intercept(verifySession())
  async clearMetadata() {
    await UserMetadata.clearUserMetadata((this.ctx as SessionContext).session!.getUserId());
    return {};
  }
}

const app = new RestApplication({ rest: { port, host: "127.0.0.1" } });
app.middleware(middleware);
app.controller(Account);
await app.start();
