// A website's front end with supertokens-website, as its documentation sets it up. The tests drive it through `window`.

import axios from "axios";
import * as SuperTokens from "supertokens-website";

const { lock, ...settings } = JSON.parse(new URLSearchParams(location.search).get("settings"));
const noLock = async () => ({ acquireLock: async () => true, releaseLock: async () => {} });

window.events = [];
SuperTokens.init({
  ...settings,
  // What an application may do, and what a browser does whose storage is partitioned or switched off.
  ...(lock === false && { lockFactory: noLock }),
  onHandleEvent: ({ userContext, ...event }) => window.events.push(event),
});
const intercepted = axios.create();
SuperTokens.addAxiosInterceptors(intercepted);

window.SuperTokens = SuperTokens;

/** Calls the API in one of the ways in which applications do; resolves to the status and the body. */
window.call = async (via, method, url, body) => {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await WAYS[via](method, url, headers, text);
  return { status: answer.status, body: json(answer.text) };
};

const WAYS = {
  fetch: async (method, url, headers, body) => {
    const response = await fetch(url, { method, headers, body });
    return { status: response.status, text: await response.text() };
  },
  xhr: (method, url, headers, body) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, url);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.onload = () => resolve({ status: request.status, text: request.responseText });
      request.onerror = () => reject(new Error("the request failed"));
      request.send(body);
    }),
  // axios uses XMLHttpRequest, which is intercepted by itself.
  axios: (method, url, headers, data) => ask(axios, { method, url, headers, data }),
  // The older way: interceptors on an instance.
  "axios interceptors": (method, url, headers, data) => ask(intercepted, { method, url, headers, data }),
  // Past the SDK, as a script that does not know of it.
  "no SDK": async (method, url, headers, body) => {
    const request = { method, headers, body, credentials: "include" };
    const response = await window.__supertokensOriginalFetch(url, request);
    return { status: response.status, text: await response.text() };
  },
};

async function ask(instance, request) {
  const plain = { ...request, responseType: "text", transformResponse: (text) => text };
  const response = await instance(plain).catch((error) => {
    if (error.response === undefined) throw error;
    return error.response;
  });
  return { status: response.status, text: response.data };
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
