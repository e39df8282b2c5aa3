import SuperTokens from "supertokens-node";
import Session from "supertokens-node/recipe/session";
import UserMetadata from "supertokens-node/recipe/usermetadata";

export const port = Number(process.env.PORT ?? 3000);

export function init({ framework = "express", apiBasePath = "/auth" } = {}) {
  SuperTokens.init({
    framework,
    supertokens: { connectionURI: process.env.CONNECTION_URI ?? "http://localhost:3567" },
    appInfo: {
      appName: "SDK examples",
      apiDomain: `http://localhost:${port}`,
      apiBasePath,
      websiteDomain: `http://localhost:${port}`,
    },
    recipeList: [Session.init(), UserMetadata.init()],
    telemetry: false,
  });
}

// How an application that signs its users in itself names one to the SDK.
export const userOf = (userId) => SuperTokens.convertToRecipeUserId(userId);
