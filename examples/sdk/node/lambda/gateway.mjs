// Stands in for the API Gateway: HTTP to REST API events (payload 1.0) and back.
import { createServer } from "node:http";
import { port } from "../supertokens.mjs";
import * as handlers from "./handler.mjs";

const routes = {
  "POST /login": handlers.login,
  "POST /session-data": handlers.sessionData,
  "POST /offline": handlers.offline,
  "POST /metadata": handlers.updateMetadata,
  "DELETE /metadata": handlers.clearMetadata,
};

createServer(async (req, res) => {
  const url = new URL(req.url, `http://localhost:${port}`);
  let body = "";
  for await (const chunk of req.setEncoding("utf8")) body += chunk;
  const handler = routes[`${req.method} ${url.pathname}`] ?? handlers.auth;
  try {
    const answer = await handler({
      httpMethod: req.method,
      path: url.pathname,
      headers: req.headers,
      queryStringParameters: Object.fromEntries(url.searchParams),
      body: body === "" ? null : body,
      isBase64Encoded: false,
    });
    res.writeHead(answer.statusCode, { ...answer.headers, ...answer.multiValueHeaders });
    res.end(answer.body);
  } catch (error) {
    console.error(error);
    res.writeHead(502).end();
  }
}).listen(port, "127.0.0.1");
