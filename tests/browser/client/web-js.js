// A website's front end with supertokens-web-js, as its documentation sets it up.

import SuperTokens from "supertokens-web-js";
import Session from "supertokens-web-js/recipe/session";

const { apiDomain, apiBasePath, ...session } = JSON.parse(new URLSearchParams(location.search).get("settings"));

window.events = [];
SuperTokens.init({
  appInfo: { appName: "a website", apiDomain, apiBasePath },
  recipeList: [Session.init({ ...session, onHandleEvent: ({ userContext, ...event }) => window.events.push(event) })],
});

window.SuperTokens = Session;

window.call = async (via, method, url, body) => {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
};
