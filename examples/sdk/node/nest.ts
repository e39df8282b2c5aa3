import "reflect-metadata";
import {
  Catch, Controller, createParamDecorator, Delete, HttpCode, Module, Post, Query, Req, Res, UseFilters, UseGuards,
} from "@nestjs/common";
import type { ArgumentsHost, CanActivate, ExceptionFilter, ExecutionContext, MiddlewareConsumer } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Error as SuperTokensError } from "supertokens-node";
import { errorHandler, middleware } from "supertokens-node/framework/express";
import Session from "supertokens-node/recipe/session";
import type { SessionContainer } from "supertokens-node/recipe/session";
import { verifySession } from "supertokens-node/recipe/session/framework/express";
import UserMetadata from "supertokens-node/recipe/usermetadata";
import { notifyAllSessions } from "./offline.mjs";
import { init, port, userOf } from "./supertokens.mjs";

init({ framework: "express" });

class AuthGuard implements CanActivate {
  async canActivate(context: ExecutionContext) {
    const http = context.switchToHttp();
    let failure: unknown;
    await verifySession()(http.getRequest(), http.getResponse(), async (error) => {
      failure = error;
    });
    if (failure) throw failure;
    return !http.getResponse().headersSent;
  }
}

const CurrentSession = createParamDecorator((_: unknown, context: ExecutionContext) =>
  context.switchToHttp().getRequest().session);

@Catch(SuperTokensError)
class SuperTokensFilter implements ExceptionFilter {
  catch(exception: unknown, host: ArgumentsHost) {
    const http = host.switchToHttp();
    if (http.getResponse().headersSent) return;
    return errorHandler()(exception, http.getRequest(), http.getResponse(), http.getNext());
  }
}

@Controller()
@UseFilters(SuperTokensFilter)
class Account {
  @Post("login")
  @HttpCode(200)
  async login(@Req() req: unknown, @Res({ passthrough: true }) res: unknown, @Query("userId") userId: string) {
    await Session.createNewSession(req, res, "public", userOf(userId));
    return { status: "OK" };
  }

  @Post("session-data")
  @HttpCode(200)
  @UseGuards(AuthGuard)
  async sessionData(@CurrentSession() session: SessionContainer) {
    const data = await session.getSessionDataFromDatabase();
    const visits = (data.visits ?? 0) + 1;
    await session.updateSessionDataInDatabase({ ...data, visits });
    return { visits };
  }

  @Post("offline")
  @HttpCode(200)
  offline(@Query("userId") userId: string) {
    return notifyAllSessions(userId);
  }

  @Post("metadata")
  @HttpCode(200)
  @UseGuards(AuthGuard)
  async updateMetadata(@CurrentSession() session: SessionContainer) {
    await UserMetadata.updateUserMetadata(session.getUserId(), { theme: "dark", draft: null });
    const { metadata } = await UserMetadata.getUserMetadata(session.getUserId());
    return metadata;
  }

  @Delete("metadata")
  @UseGuards(AuthGuard)
  async clearMetadata(@CurrentSession() session: SessionContainer) {
    await UserMetadata.clearUserMetadata(session.getUserId());
    return {};
  }
}

@Module({ controllers: [Account] })
class App {
  configure(consumer: MiddlewareConsumer) {
    consumer.apply(middleware()).forRoutes("{*path}");
  }
}

const app = await NestFactory.create(App, { logger: ["error", "warn"] });
await app.listen(port, "127.0.0.1");
