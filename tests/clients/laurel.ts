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
    private readonly keep: (tokens?: Tokens) => void = () => {}, // in the keychain
  ) {}

  /** One operation; with a fresh access token, and once more if that was refused all the same. */
  async ask<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    try {
      return await this.send(document, variables, await this.authorization());
    } catch (refused) {
      const code = refused instanceof Refused && refused.errors[0]?.extensions.code;
      if (code !== "UNAUTHENTICATED" || !this.tokens) throw refused;
      await this.renew();
      return this.send(document, variables, await this.authorization());
    }
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
    const input = { refreshToken: this.tokens!.refreshToken, idempotencyKey: crypto.randomUUID() };
    const { refreshSession } = await this.send(RefreshSessionDocument, { input });
    this.tokens = "accessToken" in refreshSession ? refreshSession : undefined; // or sign in again
    this.keep(this.tokens);
  }

  private async send<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    authorization?: string,
  ): Promise<Data> {
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
    if (errors || !data) throw new Refused(errors ?? []);
    return data;
  }
}
