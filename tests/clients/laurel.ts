import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { createClient, type Client } from "graphql-ws";
import { RefreshSessionDocument } from "./generated.js";

export type Tokens = { accessToken: string; accessTokenExpiresAt: string; refreshToken: string };
type Shown = { message: string; extensions: { code: string; retryAfterSeconds?: number } };

export class Refused extends Error {
  constructor(readonly errors: Shown[]) {
    super(errors[0]?.message);
  }
}

export class Laurel {
  private renewing?: Promise<void>;

  constructor(
    private readonly url: string,
    private tokens?: Tokens,
    private readonly keep: (tokens: Tokens | undefined) => void = () => {},
  ) {}

  use(tokens: Tokens | undefined) {
    this.tokens = tokens;
    this.keep(tokens); // in the keychain: a refresh token is as good as a password
  }

  /** One operation; with a fresh access token, and once more if it was refused all the same. */
  async ask<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    isSecondTry = false,
  ): Promise<Data> {
    const authorization = await this.authorization();
    const response = await fetch(this.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/graphql-response+json",
        ...(authorization && { authorization }),
      },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const { data, errors } = (await response.json()) as { data?: Data; errors?: Shown[] };
    if (errors?.[0]?.extensions.code === "UNAUTHENTICATED" && this.tokens && !isSecondTry) {
      await this.renew();
      return this.ask(document, variables, true);
    }
    if (errors || !data) throw new Refused(errors ?? []);
    return data;
  }

  /** A socket for subscriptions; it comes back by itself, with a fresh access token. */
  socket(): Client {
    return createClient({
      url: this.url.replace(/^http/, "ws"),
      connectionParams: async () => ({ authorization: await this.authorization() }),
      retryAttempts: Infinity,
    });
  }

  private async authorization() {
    const soon = Date.now() + 30_000;
    if (this.tokens && Date.parse(this.tokens.accessTokenExpiresAt) < soon) await this.renew();
    return this.tokens && `Bearer ${this.tokens.accessToken}`;
  }

  /** The session's next tokens: one request for all who wait, safe to repeat with its key. */
  private renew() {
    return (this.renewing ??= this.renewed().finally(() => (this.renewing = undefined)));
  }

  private async renewed() {
    const { refreshToken } = this.tokens!;
    this.tokens = undefined; // the refresh itself is sent without an access token
    const input = { refreshToken, idempotencyKey: crypto.randomUUID() };
    const { refreshSession } = await this.ask(RefreshSessionDocument, { input });
    this.use("accessToken" in refreshSession ? refreshSession : undefined); // else: sign in again
  }
}
