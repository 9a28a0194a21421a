// node server.mjs loaders|sql CONFIG --url URL --port PORT: the peer, as one would run it in
// production: no log, queries compiled at their first execution, prepared statements.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { Authentication } from "./authentication.mjs";
import { Shown } from "./rules.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: "string" }, port: { type: "string" } },
});
const [variant, file] = positionals;
const config = JSON.parse(readFileSync(file, "utf8"));
const { built } = await import(`./${variant}.mjs`);
const pool = new pg.Pool({ connectionString: values.url, max: 10 });
const authentication = new Authentication(config);
const { loaders, resolvers } = built(pool, new Shown(config));

const app = Fastify({ logger: false, bodyLimit: 4 * 1024 * 1024 });
app.register(mercurius, {
  schema: readFileSync(new URL("./schema.graphql", import.meta.url), "utf8"),
  resolvers,
  loaders,
  jit: 1,
  path: "/graphql",
  context: (request) => {
    const caller = authentication.of(request.headers.authorization);
    return { memberId: () => caller.member };
  },
});
app.get("/healthz", () => "ok");
await app.listen({ host: "127.0.0.1", port: Number(values.port) });
process.on("SIGTERM", () => app.close().then(() => pool.end()).then(() => process.exit(0)));
